/** Another password, for whoever knows the old one or has the recovery key on paper; and the end of an account. */
import * as opaque from "@serenity-kit/opaque";
import { KithError } from "../../protocol/errors.ts";
import type { Handle } from "../../protocol/identifiers.ts";
import { LOGIN_HTTP } from "../../protocol/login-api.ts";
import { recoveryStatement } from "../../protocol/login-proof.ts";
import type { Surroundings } from "../core/client-options.ts";
import { type AccountSecrets, appSignatures, openVault, sealVault } from "./account-keys.ts";
import { fromBase64, type LoginHttp, toBase64 } from "./login-http.ts";
import type { PinnedNetwork } from "./network-chain.ts";
import { finishLogin, finishRegistration, fromBase64Url, meet, requireNewPassword } from "./opaque-login.ts";
import { openRecoveryKey } from "./recovery-key.ts";

/** An account at its login server. */
export interface AccountPlace {
  readonly loginServer: string;
  readonly handle: Handle;
  /** The network that is known to be at this address; null if none is. */
  readonly pinnedNetwork: PinnedNetwork | null;
}

/**
 * Seals the account's secrets, which this device has, under the new password.
 * @throws KithError `wrong-password`, `password-weak`, and those of LoginHttp
 */
export async function changePassword(
  place: AccountPlace,
  passwords: { readonly current: string; readonly next: string },
  secrets: AccountSecrets,
  surroundings: Surroundings,
): Promise<void> {
  requireNewPassword(passwords.next);
  const { http } = await meet({ ...place, invitation: null }, surroundings);
  const proof = await provePassword(http, place.handle, passwords.current, surroundings);
  const wanted = opaque.client.startRegistration({ password: passwords.next });
  const begun = await http.post(LOGIN_HTTP.passwordProve, { ...proof, registration: wanted.registrationRequest });
  await finish(http, { ...begun, ...wanted, password: passwords.next }, secrets, surroundings);
}

/**
 * Opens the account's secrets with the recovery key and seals them under the new password; signing in with it is the next step.
 * @throws KithError `recovery-key-malformed`, `recovery-refused`, `password-weak`, `vault-malformed`, and those of LoginHttp
 */
export async function recoverAccount(
  place: AccountPlace,
  recovery: { readonly recoveryKey: string; readonly password: string },
  surroundings: Surroundings,
): Promise<void> {
  const { password } = recovery;
  requireNewPassword(password);
  const { http, network } = await meet({ ...place, invitation: null }, surroundings);
  const { handle } = place;
  const key = openRecoveryKey(recovery.recoveryKey, network.networkId, handle);
  const { attempt, nonce } = await http.post(LOGIN_HTTP.recoveryStart, { handle });
  const statement = recoveryStatement(network.networkId, fromBase64(nonce), handle);
  const wanted = opaque.client.startRegistration({ password });
  const { vault, ...begun } = await http.post(LOGIN_HTTP.recoveryProve, {
    attempt,
    proof: toBase64(appSignatures.sign(statement, key.sign.secretKey)),
    registration: wanted.registrationRequest,
  });
  const secrets = openVault(fromBase64(vault), key.sealKey);
  await finish(http, { ...begun, ...wanted, password }, secrets, surroundings);
}

/** Nothing of the account stays at the login server. @throws KithError `wrong-password`, and those of LoginHttp */
export async function deleteAccount(place: AccountPlace, password: string, surroundings: Surroundings): Promise<void> {
  const { http } = await meet({ ...place, invitation: null }, surroundings);
  await http.post(LOGIN_HTTP.accountDelete, await provePassword(http, place.handle, password, surroundings));
}

/** A login that goes as far as the proof; what it is for follows. */
async function provePassword(http: LoginHttp, handle: Handle, password: string, { keyStretching }: Surroundings) {
  const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password });
  const { attempt, response } = await http.post(LOGIN_HTTP.loginStart, { handle, request: startLoginRequest });
  const login = finishLogin(clientLoginState, response, password, keyStretching);
  if (!login) throw new KithError("wrong-password");
  return { attempt, request: login.finishLoginRequest };
}

interface BegunChange {
  readonly change: string;
  readonly response: string;
  readonly clientRegistrationState: string;
  readonly password: string;
}

async function finish(
  http: LoginHttp,
  { change, response, clientRegistrationState, password }: BegunChange,
  secrets: AccountSecrets,
  { keyStretching, random }: Surroundings,
): Promise<void> {
  const { registrationRecord, exportKey } = finishRegistration(
    clientRegistrationState,
    response,
    password,
    keyStretching,
  );
  const vault = toBase64(sealVault(secrets, fromBase64Url(exportKey), random));
  await http.post(LOGIN_HTTP.passwordFinish, { change, record: registrationRecord, vault });
}

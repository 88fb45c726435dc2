/** Signing up and signing in with handle and password by OPAQUE (RFC 9807): the password never leaves this device. */
import * as opaque from "@serenity-kit/opaque";
import type { UserCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceId, Handle } from "../../protocol/identifiers.ts";
import type { Invitation } from "../../protocol/invitation.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { LOGIN_HTTP } from "../../protocol/login-api.ts";
import { registrationStatement } from "../../protocol/login-proof.ts";
import type { NetworkKeyChain } from "../../protocol/network-key-chain.ts";
import { NetworkTrust } from "../../protocol/network-trust.ts";
import type { Signed } from "../../protocol/signed.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";
import type { KeyStretching, Surroundings } from "../core/client-options.ts";
import {
  type AccountKeys,
  accountKeys,
  appSignatures,
  certifies,
  newAccountSecrets,
  openVault,
  sealVault,
} from "./account-keys.ts";
import { fromBase64, LoginHttp, type Network, toBase64 } from "./login-http.ts";
import { chainOf, type PinnedNetwork } from "./network-chain.ts";

export interface Credentials {
  /** As parseLoginServer returns it. */
  readonly loginServer: string;
  readonly handle: Handle;
  readonly password: string;
  readonly deviceId: DeviceId;
  readonly deviceName: string;
  /** The network that is known to be at this address; null if none is. */
  readonly pinnedNetwork: PinnedNetwork | null;
  /** What lets a new member in; null: nothing, or there is an account. */
  readonly invitation: Invitation | null;
}

/** A network that was held against what is known of it. */
interface MetNetwork {
  readonly keys: NetworkKeyChain;
}

export interface Enrolled {
  readonly network: Network & MetNetwork;
  readonly keys: AccountKeys;
  readonly certificate: Signed<UserCertificate>;
}

/**
 * Makes an account.
 * @throws KithError `password-weak`, `registration-closed`, `invitation-needed`, `invitation-invalid`, `invitation-network`,
 * `approval-pending`, `handle-taken`, `handle-look-alike`, `handle-reserved`, and those of LoginHttp and the certificate
 */
export async function signUp(credentials: Credentials, surroundings: Surroundings): Promise<Enrolled> {
  const { handle, password, deviceId, deviceName, invitation } = credentials;
  requireNewPassword(password);
  const { http, network } = await meet(credentials, surroundings);
  if (network.registration === "closed") throw new KithError("registration-closed");
  if (network.registration === "invitation" && !invitation) throw new KithError("invitation-needed");
  const admission = invitation ? { invitation: invitation.token } : {};

  const { clientRegistrationState, registrationRequest } = opaque.client.startRegistration({ password });
  const { response } = await http.post(LOGIN_HTTP.registerStart, {
    handle,
    request: registrationRequest,
    ...admission,
  });
  const { registrationRecord, exportKey } = finishRegistration(
    clientRegistrationState,
    response,
    password,
    surroundings.keyStretching,
  );

  const keys = accountKeys(newAccountSecrets(surroundings.random));
  const vault = sealVault(keys, fromBase64Url(exportKey), surroundings.random);
  const claim = { networkId: network.networkId, handle, vault, deviceId };
  const proof = appSignatures.sign(
    registrationStatement({ ...claim, signKey: keys.sign.publicKey, boxKey: keys.box.publicKey }),
    keys.sign.secretKey,
  );
  const { certificate } = await http.post(LOGIN_HTTP.registerFinish, {
    handle,
    record: registrationRecord,
    signKey: toBase64(keys.sign.publicKey),
    boxKey: toBase64(keys.box.publicKey),
    keyBinding: toBase64(keys.keyBinding),
    vault: toBase64(vault),
    deviceId,
    deviceName,
    proof: toBase64(proof),
    ...admission,
  });
  return { network, keys, certificate: ownCertificate(certificate, keys, credentials, network, surroundings) };
}

/**
 * Signs in to an account; its keys come out of the vault.
 * @throws KithError `wrong-password`, `vault-malformed`, and those of LoginHttp and the certificate
 */
export async function signIn(credentials: Credentials, surroundings: Surroundings): Promise<Enrolled> {
  const { handle, password, deviceId, deviceName } = credentials;
  requirePasswordSize(password);
  const { http, network } = await meet(credentials, surroundings);

  const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password });
  const { attempt, response } = await http.post(LOGIN_HTTP.loginStart, { handle, request: startLoginRequest });
  const login = finishLogin(clientLoginState, response, password, surroundings.keyStretching);
  if (!login) throw new KithError("wrong-password");
  const answer = await http.post(LOGIN_HTTP.loginFinish, {
    attempt,
    request: login.finishLoginRequest,
    deviceId,
    deviceName,
  });
  const keys = accountKeys(openVault(fromBase64(answer.vault), fromBase64Url(login.exportKey)));
  return { network, keys, certificate: ownCertificate(answer.certificate, keys, credentials, network, surroundings) };
}

/** The server is asked who it is before anything of the user is sent. Errors as LoginHttp's and chainOf's. */
export async function meet(
  { loginServer, pinnedNetwork, invitation }: Pick<Credentials, "loginServer" | "pinnedNetwork" | "invitation">,
  { fetch, clock }: Surroundings,
): Promise<{ http: LoginHttp; network: Network & MetNetwork }> {
  await opaque.ready;
  const http = new LoginHttp(loginServer, fetch, clock);
  const network = await http.network();
  const keys = chainOf(network, pinnedNetwork, invitation, clock.now());
  return { http, network: { ...network, keys } };
}

/** What the WebAssembly throws says nothing to a person: the server's message did not fit. @throws KithError `malformed` */
export function finishRegistration(
  clientRegistrationState: string,
  registrationResponse: string,
  password: string,
  keyStretching: KeyStretching,
) {
  try {
    return opaque.client.finishRegistration({
      clientRegistrationState,
      registrationResponse,
      password,
      keyStretching,
    });
  } catch (error) {
    throw new KithError("malformed", { what: "the login server's answer" }, { cause: error });
  }
}

/** @returns undefined for a wrong password. @throws KithError `malformed` */
export function finishLogin(
  clientLoginState: string,
  loginResponse: string,
  password: string,
  keyStretching: KeyStretching,
) {
  try {
    return opaque.client.finishLogin({ clientLoginState, loginResponse, password, keyStretching });
  } catch (error) {
    throw new KithError("malformed", { what: "the login server's answer" }, { cause: error });
  }
}

/** @throws KithError `password-weak`, `too-large` */
export function requireNewPassword(password: string): void {
  if (password.length < LIMITS.minPasswordLength) {
    throw new KithError("password-weak", { minimum: LIMITS.minPasswordLength });
  }
  requirePasswordSize(password);
}

function requirePasswordSize(password: string): void {
  if (password.length > LIMITS.maxPasswordLength) {
    throw new KithError("too-large", { what: "a password", limit: `${LIMITS.maxPasswordLength} characters` });
  }
}

/** The login server must certify these very keys, this handle and this device, or nothing is kept. */
function ownCertificate(
  base64: string,
  keys: AccountKeys,
  { handle, deviceId }: Credentials,
  network: MetNetwork,
  { clock }: Surroundings,
): Signed<UserCertificate> {
  const { anchor } = new NetworkTrust(network.keys, () => clock.now());
  const certificate = trustUserCertificate(anchor, fromBase64(base64));
  const { value } = certificate;
  if (!certifies(value, keys)) throw new KithError("vault-malformed");
  if (value.handle !== handle || value.deviceId !== deviceId) throw new KithError("certificate-forged");
  return certificate;
}

export function fromBase64Url(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}

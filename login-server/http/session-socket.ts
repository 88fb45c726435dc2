/** One device's socket: the challenge, `open`, then the methods of a session. */
import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import type { Socket } from "socket.io";
import type { UserCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress } from "../../protocol/identifiers.ts";
import { LOGIN_METHODS } from "../../protocol/login-api.ts";
import { loginSessionStatement } from "../../protocol/login-proof.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { serve } from "../../protocol/rpc.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { AccountMethods } from "../accounts/account-methods.ts";
import type { Devices } from "../accounts/devices.ts";
import type { PasswordGuesses } from "../accounts/password-guesses.ts";
import type { Session, Sessions } from "../accounts/sessions.ts";
import type { BuddyLists } from "../buddies/buddy-lists.ts";
import type { KeyLog } from "../key-log/key-log.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Admission } from "../limits/admission.ts";
import type { RateLimits } from "../limits/rate-limits.ts";
import type { Metrics } from "../metrics.ts";
import { refusalFor } from "../storage/storage-fault.ts";
import type { DesktopSupernodes } from "../supernodes/desktop-supernodes.ts";
import type { SupernodeRegister } from "../supernodes/supernode-register.ts";
import { subscriberOf } from "./client-address.ts";

export interface SessionSocketParts {
  readonly authority: CertificateAuthority;
  readonly devices: Devices;
  readonly buddyLists: BuddyLists;
  readonly keyLog: KeyLog;
  readonly guesses: PasswordGuesses;
  readonly sessions: Sessions;
  readonly register: SupernodeRegister;
  readonly limits: RateLimits;
  readonly admission: Admission;
  readonly accountMethods: AccountMethods;
  readonly desktop: DesktopSupernodes;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** How long a device may take to prove itself after its socket opened. */
  readonly attachTimeoutMs: number;
}

type State =
  | { readonly kind: "challenged"; readonly nonce: Uint8Array; readonly timer: NodeJS.Timeout }
  | { readonly kind: "proving" }
  | { readonly kind: "open"; readonly session: Session; readonly shown: Signed<UserCertificate> }
  | { readonly kind: "closed" };

const NONCE_BYTES = 32;

/**
 * Challenges a socket that has just connected and serves it until it closes.
 * @param host where the device is seen
 */
export function serveSession(socket: Socket, host: string, parts: SessionSocketParts): void {
  const { authority, devices, buddyLists, keyLog, guesses, sessions, register, limits, desktop, log } = parts;
  const { accountMethods: account } = parts;
  const end = () => void setImmediate(() => socket.disconnect(true));
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  let state: State = { kind: "challenged", nonce, timer: setTimeout(end, parts.attachTimeoutMs) };

  /** A nonce is good for one try: a wrong proof ends the socket. */
  const open = async (certificate: Uint8Array, proof: Uint8Array) => {
    if (state.kind !== "challenged") throw new KithError("malformed", { what: "open", why: "it came twice" });
    const challenge = state;
    state = { kind: "proving" };
    clearTimeout(challenge.timer);
    try {
      const shown = authority.recogniseUser(certificate);
      const { signKey, userId, deviceId, handle } = shown.value;
      const statement = loginSessionStatement(authority.networkId, challenge.nonce, deviceId);
      if (!nodeSignatures.verify(statement, proof, signKey)) {
        throw new KithError("signature-invalid", { what: "session" });
      }
      const revision = await buddyLists.revision(userId);
      const { revision: supernodes } = await register.current();
      // Last, so that nobody who is signed out meanwhile gets past it.
      const fresh = await devices.resume(shown);
      // Neither a restart nor another instance knows where the account has signed in before.
      guesses.known(handle, subscriberOf(host));
      if (socket.disconnected) return { certificate: new Uint8Array(), supernodes };
      const session: Session = {
        device: { userId, deviceId },
        push: (name, value) => void socket.emit(name, value),
        end,
      };
      state = { kind: "open", session, shown };
      sessions.add(session, revision);
      return { certificate: fresh ?? new Uint8Array(), supernodes };
    } catch (error) {
      end();
      throw error;
    }
  };

  const limited =
    <I, O>(run: (input: I) => Promise<O>) =>
    async (input: I): Promise<O> => {
      try {
        limits.request.take(socket.id);
        return await run(input);
      } catch (thrown) {
        const refusal = refusalFor(thrown);
        if (refusal.code === "login-server-busy") log.error({ err: refusal.cause }, refusal.code);
        throw refusal;
      }
    };
  const inSession = <I, O>(run: (device: DeviceAddress, input: I) => Promise<O>) =>
    limited(async (input: I): Promise<O> => {
      if (state.kind !== "open") throw new KithError("not-authenticated");
      return run(state.session.device, input);
    });
  /** For methods that answer nothing. */
  const done = <I>(run: (device: DeviceAddress, input: I) => Promise<void>) =>
    inSession(async (device, input: I) => {
      await run(device, input);
      return {};
    });

  serve(
    socket,
    LOGIN_METHODS,
    {
      open: limited(({ certificate, proof }) => open(certificate, proof)),
      renew: limited(async () => {
        if (state.kind !== "open") throw new KithError("not-authenticated");
        return { certificate: (await devices.resume(state.shown)) ?? new Uint8Array() };
      }),
      syncBuddies: inSession(({ userId }, { since }) => buddyLists.delta(userId, since)),
      requestBuddy: inSession(({ userId }, { handle, greeting }) => {
        limits.buddyRequest.take(userId);
        limits.buddyRequestAgain.take(`${userId} ${handle}`);
        return buddyLists.request(userId, handle, greeting);
      }),
      acceptBuddy: inSession(({ userId }, { userId: peer }) => buddyLists.accept(userId, peer)),
      declineBuddy: done(({ userId }, { userId: peer }) => buddyLists.decline(userId, peer)),
      blockBuddy: done(({ userId }, { userId: peer }) => buddyLists.block(userId, peer)),
      unblockBuddy: done(({ userId }, { userId: peer }) => buddyLists.unblock(userId, peer)),
      labelBuddy: done(({ userId }, { userId: peer, label }) => buddyLists.label(userId, peer, label)),
      removeBuddy: done(({ userId }, { userId: peer }) => buddyLists.remove(userId, peer)),
      keyLog: inSession((_device, { handle, since }) => keyLog.chain(handle, since)),
      keyLogHeads: inSession(async (_device, { epochs }) => ({ heads: await keyLog.heads(epochs) })),
      account: inSession((device) => account.account(device)),
      setRecoveryKey: inSession((device, input) => account.setRecoveryKey(device, input)),
      invite: inSession((device, input) => account.invite(device, input)),
      applicants: inSession((device) => account.applicants(device)),
      decideApplicant: inSession((device, input) => account.decideApplicant(device, input)),
      supernodeOffer: inSession((device) => desktop.offer(device, host)),
      enrolSupernode: inSession(async (device) => ({ token: await desktop.ticket(device, host) })),
      listSupernode: done((device, { listed }) => desktop.list(device, listed)),
      signOutDevice: done(async ({ userId }, { deviceId }) => {
        await devices.signOut({ userId, deviceId });
        sessions.signOut({ userId, deviceId });
      }),
    },
    (what, error) => log.error({ what, err: error.cause }, error.code),
    parts.metrics.sessionAnswered,
  );
  refuseUnknownMethods(socket);
  socket.on("disconnect", () => {
    if (state.kind === "challenged") clearTimeout(state.timer);
    if (state.kind === "open") sessions.remove(state.session);
    state = { kind: "closed" };
  });
  socket.emit("challenge", { nonce });
}

/** A newer client learns at once that this server does not know what it asks for. */
function refuseUnknownMethods(socket: Socket): void {
  socket.onAny((name: unknown, ...args: unknown[]) => {
    if (typeof name === "string" && Object.hasOwn(LOGIN_METHODS, name)) return;
    const acknowledge = args.at(-1);
    if (typeof acknowledge !== "function") return;
    acknowledge({ ok: false, error: new KithError("unknown-method", { what: String(name).slice(0, 64) }).toWire() });
  });
}

/** What answers each HTTP endpoint of the protocol. */

import { PROTOCOL_VERSION } from "../../protocol/limits.ts";
import { LOGIN_HTTP } from "../../protocol/login-api.ts";
import type { LoginServices } from "../login-services.ts";
import { type Route, route } from "./http-server.ts";

type RouteParts = LoginServices & {
  readonly name: string;
  now(): number;
};

export function loginRoutes(parts: RouteParts): Route[] {
  const {
    accounts,
    admission,
    authority,
    keyLog,
    passwords,
    revocations,
    registration,
    login,
    enrolment,
    reports,
    register,
    sessions,
    limits,
  } = parts;
  return [
    route(LOGIN_HTTP.network, () => ({
      kith: "login-server" as const,
      protocolVersion: PROTOCOL_VERSION,
      networkId: authority.networkId,
      networkKey: base64(authority.networkKey),
      successions: base64(authority.successions),
      name: parts.name,
      registration: registration.mode,
      now: parts.now(),
    })),
    route(LOGIN_HTTP.registerStart, ({ handle, request, invitation }, { subscriber }) => {
      limits.registration.take(`start ${subscriber}`);
      admission.begin();
      return registration.start(handle, request, invitation);
    }),
    route(LOGIN_HTTP.registerFinish, async (request, { subscriber }) => {
      limits.registration.take(`finish ${subscriber}`);
      const { certificate, signedOut } = await registration.finish(request);
      for (const device of signedOut) sessions.signOut(device);
      return { certificate: base64(certificate) };
    }),
    route(LOGIN_HTTP.loginStart, ({ handle, request }, { subscriber }) => {
      limits.login.take(subscriber);
      admission.begin();
      return login.start(handle, request, subscriber);
    }),
    route(LOGIN_HTTP.loginFinish, async ({ attempt, request, deviceId, deviceName }) => {
      const { certificate, vault, signedOut } = await login.finish(attempt, request, { deviceId, name: deviceName });
      for (const device of signedOut) sessions.signOut(device);
      return { certificate: base64(certificate), vault: base64(vault) };
    }),
    route(LOGIN_HTTP.passwordProve, ({ attempt, request, registration: wanted }) =>
      passwords.prove(attempt, request, wanted),
    ),
    route(LOGIN_HTTP.recoveryStart, async ({ handle }, { subscriber }) => {
      limits.recovery.take(`start ${subscriber}`);
      const { attempt, nonce } = await passwords.startRecovery(handle);
      return { attempt, nonce: base64(nonce) };
    }),
    route(LOGIN_HTTP.recoveryProve, async ({ attempt, proof, registration: wanted }, { subscriber }) => {
      limits.recovery.take(`prove ${subscriber}`);
      const { vault, ...change } = await passwords.proveRecovery(attempt, proof, wanted);
      return { ...change, vault: base64(vault) };
    }),
    route(LOGIN_HTTP.passwordFinish, async (request) => {
      await passwords.finish(request);
      return {};
    }),
    route(LOGIN_HTTP.accountDelete, async ({ attempt, request }) => {
      const { handle, userId } = await login.prove(attempt, request);
      await accounts.delete(handle, "self", userId);
      return {};
    }),
    route(LOGIN_HTTP.supernodes, async () => ({ list: base64((await register.current()).bytes) })),
    route(LOGIN_HTTP.notices, async () => ({
      keyLogHead: base64((await keyLog.head()) ?? new Uint8Array()),
      revocations: base64(await revocations.current()),
      successions: base64(authority.successions),
    })),
    route(LOGIN_HTTP.report, async (report, { subscriber }) => {
      limits.enrolment.take(subscriber);
      await reports.take(report);
      return {};
    }),
    route(LOGIN_HTTP.enrol, async (request, { subscriber }) => {
      limits.enrolment.take(subscriber);
      const { certificate, changed } = await enrolment.enrol(request);
      if (changed) register.changed();
      return { certificate: base64(certificate) };
    }),
  ];
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** What answers each HTTP endpoint of the protocol. */

import { PROTOCOL_VERSION } from "../protocol/limits.ts";
import { LOGIN_HTTP } from "../protocol/login-api.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import type { Enrolment } from "./enrolment.ts";
import { type Route, route } from "./http-server.ts";
import type { Login } from "./login.ts";
import type { RateLimits } from "./rate-limits.ts";
import type { Registration } from "./registration.ts";
import type { Sessions } from "./sessions.ts";
import type { SupernodeRegister } from "./supernode-register.ts";

interface RouteParts {
  readonly name: string;
  readonly authority: CertificateAuthority;
  readonly registration: Registration;
  readonly login: Login;
  readonly enrolment: Enrolment;
  readonly register: SupernodeRegister;
  readonly sessions: Sessions;
  readonly limits: RateLimits;
  now(): number;
}

export function loginRoutes(parts: RouteParts): Route[] {
  const { authority, registration, login, enrolment, register, sessions, limits } = parts;
  return [
    route(LOGIN_HTTP.network, () => ({
      kith: "login-server" as const,
      protocolVersion: PROTOCOL_VERSION,
      networkId: authority.networkId,
      networkKey: base64(authority.networkKey),
      name: parts.name,
      registration: registration.mode,
      now: parts.now(),
    })),
    route(LOGIN_HTTP.registerStart, ({ handle, request }, { subscriber }) => {
      limits.registration.take(`start ${subscriber}`);
      return registration.start(handle, request);
    }),
    route(LOGIN_HTTP.registerFinish, async (request, { subscriber }) => {
      limits.registration.take(`finish ${subscriber}`);
      const { certificate, signedOut } = await registration.finish(request);
      for (const device of signedOut) sessions.signOut(device);
      return { certificate: base64(certificate) };
    }),
    route(LOGIN_HTTP.loginStart, ({ handle, request }, { subscriber }) => {
      limits.login.take(subscriber);
      return login.start(handle, request);
    }),
    route(LOGIN_HTTP.loginFinish, async ({ attempt, request, deviceId, deviceName }) => {
      const { certificate, vault, signedOut } = await login.finish(attempt, request, { deviceId, name: deviceName });
      for (const device of signedOut) sessions.signOut(device);
      return { certificate: base64(certificate), vault: base64(vault) };
    }),
    route(LOGIN_HTTP.supernodes, async () => ({ list: base64((await register.current()).bytes) })),
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

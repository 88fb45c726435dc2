/** The HTTP status that fits an error code, RFC 9110 section 15. */
import type { ErrorCode } from "../../protocol/errors.ts";

const STATUS: Partial<Record<ErrorCode, number>> = {
  "wrong-password": 401,
  "registration-closed": 403,
  "invitation-needed": 403,
  "invitation-invalid": 403,
  "approval-pending": 403,
  "account-blocked": 403,
  "administrator-only": 403,
  "recovery-refused": 401,
  "enrolment-refused": 403,
  "signature-invalid": 403,
  "certificate-forged": 403,
  "unknown-method": 404,
  "no-such-user": 404,
  "no-such-invitation": 404,
  "handle-taken": 409,
  "handle-look-alike": 409,
  "handle-reserved": 409,
  "login-attempt-over": 410,
  "too-large": 413,
  "rate-limited": 429,
  internal: 500,
  "login-server-busy": 503,
  "login-server-crowded": 503,
};
const BAD_REQUEST = 400;

export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? BAD_REQUEST;
}

/**
 * The one registry of error codes. A code crosses every process boundary as it is; the
 * sentence says to a person what happened and what to do, in the caller's words.
 */

interface ErrorEntry {
  /** What happened and what to do. `{name}` is filled from the error's details. */
  readonly sentence: string;
  /** Whether the same request may succeed later, unchanged. */
  readonly retry: boolean;
}

function entries<T extends Record<string, ErrorEntry>>(registry: T): T {
  return registry;
}

export const ERRORS = entries({
  // The wire
  malformed: { sentence: "The other side sent something that is not valid ({what}).", retry: false },
  "too-large": { sentence: "That is too large: {what} may have at most {limit}.", retry: false },
  "protocol-version": {
    sentence: "{who} speaks another version of the protocol. Update the older of the two.",
    retry: false,
  },
  "unknown-method": { sentence: "The other side does not know this request ({what}).", retry: false },
  "rate-limited": { sentence: "That was too often. Try again in {seconds} seconds.", retry: true },
  internal: { sentence: "Something went wrong inside Kith. The log has the details.", retry: true },
  timeout: { sentence: "There was no answer in time. Try again.", retry: true },

  // Identity
  "key-log-second-key": {
    sentence:
      "The login server has given somebody else's key your handle, {handle} ({date}). Whoever holds it can pose as you towards people who do not know your key. Ask whoever runs the login server, and tell your buddies by another way.",
    retry: false,
  },
  "key-log-buddy-replaced": {
    sentence:
      "The login server has given another key the handle {handle} ({date}). It may be a new account of theirs, or somebody who poses as them: ask {handle} by another way.",
    retry: false,
  },
  "key-log-unlisted-key": {
    sentence:
      "The key of {handle} that the login server gave you is missing from its public log. Do not trust it before you have compared it with {handle} by another way.",
    retry: false,
  },
  "key-log-forked": {
    sentence:
      "The login server's log of keys does not continue the one that was seen before. It may show different people different keys, or it was restored from an older backup: ask whoever runs it.",
    retry: false,
  },
  "key-log-broken": {
    sentence: "The login server's log of keys does not prove what it says. Ask whoever runs it.",
    retry: false,
  },
  "handle-malformed": {
    sentence: "A handle has 3 to 32 small letters, digits, dots, hyphens or underscores, and starts with a letter.",
    retry: false,
  },
  "handle-taken": { sentence: "This handle is taken. Choose another one.", retry: false },
  "password-weak": { sentence: "Choose a password of at least {minimum} characters.", retry: false },
  "wrong-password": { sentence: "Handle or password is wrong.", retry: false },
  "login-attempt-over": { sentence: "Signing in took too long. Try again.", retry: false },
  "registration-closed": { sentence: "This network does not take new members.", retry: false },
  "invitation-needed": {
    sentence: "This network takes new members by invitation only. Ask for an invitation link, and paste it here.",
    retry: false,
  },
  "invitation-invalid": {
    sentence: "This invitation was used up, has expired or was withdrawn. Ask for a new one.",
    retry: false,
  },
  "invitation-malformed": { sentence: "That is not an invitation link. Paste all of it.", retry: false },
  "invitation-network": {
    sentence: "The server at this address is not the one of the invitation. Nothing was sent to it.",
    retry: false,
  },
  "approval-pending": {
    sentence: "Your account is made and waits for approval by whoever runs this network. Sign in once it is approved.",
    retry: true,
  },
  "account-blocked": {
    sentence: "This account was blocked by whoever runs this network. Ask them why.",
    retry: false,
  },
  "handle-look-alike": {
    sentence: "This handle looks too much like one that is taken. Choose another one.",
    retry: false,
  },
  "handle-reserved": { sentence: "This handle is reserved. Choose another one.", retry: false },
  "recovery-refused": {
    sentence: "Handle or recovery key is wrong, or no recovery key was made for this account.",
    retry: false,
  },
  "recovery-key-malformed": {
    sentence: "That is not a recovery key. It has {count} letters and digits; look for one that was mistyped.",
    retry: false,
  },
  "vault-malformed": { sentence: "The login server returned keys that do not belong to this account.", retry: false },
  "certificate-expired": { sentence: "The certificate has expired. Sign in again.", retry: false },
  "certificate-revoked": { sentence: "This device was signed out of the account. Sign in again.", retry: false },
  "certificate-forged": { sentence: "A certificate was not issued by this network.", retry: false },
  "clock-skew": {
    sentence: "The clock of this computer is wrong by more than {minutes} minutes. Set it and try again.",
    retry: false,
  },
  "signature-invalid": { sentence: "A signature is not valid ({what}).", retry: false },
  "not-authenticated": { sentence: "Sign in first.", retry: false },
  "already-signed-in": { sentence: "Somebody is signed in here. Sign out first.", retry: false },
  "signed-out-elsewhere": { sentence: "This device was signed out of the account. Sign in again.", retry: false },
  "network-changed": {
    sentence: "The server at this address is not the one that this account was made on. Nothing was sent to it.",
    retry: false,
  },
  "network-key-forged": {
    sentence: "What claims to be the network's new key was not signed by its old one.",
    retry: false,
  },
  "network-key-missing": {
    sentence:
      "Key {number} of the network is not in this data folder. Copy network-keys.json from the instance that made it, and start again.",
    retry: false,
  },
  "network-key-withheld": {
    sentence:
      "The server at this address has an old key of the network and not the present one. Nothing was sent to it.",
    retry: true,
  },
  "network-key-unconfirmed": {
    sentence:
      "The network has a new key, because the old one may have been stolen or is too long out of use. Ask whoever runs it for the link that confirms the new key, and open it.",
    retry: false,
  },
  "network-key-known": {
    sentence: "This device knows the key of its network. There is nothing to confirm.",
    retry: false,
  },
  "network-key-forked": {
    sentence:
      "Somebody claims another key for this network than the one that is known here: its key may have been stolen. Ask whoever runs the network.",
    retry: false,
  },

  // Reaching servers
  "login-server-unreachable": {
    sentence: "The login server at {address} cannot be reached. Check the address and the connection.",
    retry: true,
  },
  "login-server-certificate": {
    sentence: "The certificate of {address} cannot be trusted: {why}. Only whoever runs it can change that.",
    retry: true,
  },
  "login-server-address": {
    sentence: "{address} is not the address of a login server. Type one like kith.example.org.",
    retry: false,
  },
  "login-server-insecure": {
    sentence: "Kith talks to {address} over https only; plain http is for this computer itself.",
    retry: false,
  },
  "login-server-nonsense": { sentence: "What answers at {address} is not a Kith login server.", retry: false },
  "supernode-unreachable": { sentence: "No supernode can be reached. Kith keeps trying.", retry: true },
  "supernode-untrusted": { sentence: "A supernode could not prove who it is. Kith uses another one.", retry: false },
  "supernode-busy": {
    sentence: "The supernode takes no more people now. Try again in {seconds} seconds.",
    retry: true,
  },
  "not-attached": { sentence: "There is no connection to the network yet. Kith keeps trying.", retry: true },
  "login-server-crowded": {
    sentence: "Very many people sign in just now. Try again in {seconds} seconds.",
    retry: true,
  },
  "sign-in-cancelled": { sentence: "You have stopped signing in.", retry: true },
  "login-server-busy": { sentence: "The login server cannot store anything just now. Try again later.", retry: true },
  "administrator-only": { sentence: "Only those who run this network can do that.", retry: false },
  "administration-forbidden": {
    sentence: "{path} is not yours to read. Run this as root, or as the user that the login server runs as.",
    retry: false,
  },
  "administration-unreachable": {
    sentence: "No login server runs on the data folder {path}. Start it, or name another folder with --data.",
    retry: false,
  },
  "no-such-supernode": { sentence: "There is no supernode {supernode}.", retry: false },
  "no-such-invitation": { sentence: "There is no invitation {invitation}.", retry: false },
  "supernode-not-wanted": { sentence: "This network takes no supernodes from desktop apps.", retry: false },
  "supernode-ended": { sentence: "The supernode on this computer has ended unexpectedly.", retry: true },
  "supernode-removed": { sentence: "The host of this network has removed this supernode.", retry: false },
  "enrolment-refused": { sentence: "The login server did not accept this enrolment token.", retry: false },

  // Directory
  "lease-refused": { sentence: "A registration was refused ({why}).", retry: false },
  "lease-stale": { sentence: "A newer registration of this device is known.", retry: false },
  "profile-stale": { sentence: "A newer version of this profile is known.", retry: false },
  "profile-refused": { sentence: "A profile was refused ({why}).", retry: false },
  "profile-too-long": {
    sentence: "The name may have {name} characters and the other words {words}, without line breaks.",
    retry: false,
  },
  "profiles-full": { sentence: "The supernodes keep as many profiles as they can. Try again later.", retry: true },
  "search-too-short": {
    sentence: "Type at least two letters of a name; of Chinese, Japanese or Korean names one character is enough.",
    retry: false,
  },
  "search-expired": { sentence: "This search is too old to go on with. Search again.", retry: false },
  "not-a-holder": { sentence: "This supernode does not keep the record of this user.", retry: false },

  // Buddies
  "no-such-user": { sentence: "Nobody here has the handle {handle}.", retry: false },
  "not-a-buddy": { sentence: "That works between buddies only.", retry: false },
  "already-buddies": { sentence: "You are buddies already.", retry: false },
  "already-requested": { sentence: "You have asked already; the answer is up to them.", retry: false },
  "no-such-request": { sentence: "This request is no longer there.", retry: false },
  "buddy-is-self": { sentence: "That is you.", retry: false },
  "key-changed": {
    sentence: "The keys of {handle} have changed. Compare the safety number before you go on.",
    retry: false,
  },

  // Messages and calls
  "message-empty": { sentence: "There is nothing to send.", retry: false },
  "message-too-long": { sentence: "A message may have at most {limit} characters.", retry: false },
  "recipient-offline": { sentence: "{handle} is not online.", retry: true },
  "envelope-refused": { sentence: "A message was refused because it was not genuine ({why}).", retry: false },
  "no-such-message": { sentence: "This message is not here.", retry: false },
  "call-in-progress": { sentence: "There is a call already. End it first.", retry: false },
  "no-call": { sentence: "There is no call.", retry: false },
  "no-relay": {
    sentence: "Your address is hidden in calls, but nobody relays calls just now. Try again later, or show it.",
    retry: true,
  },
  "microphone-refused": {
    sentence: "Kith may not use the microphone. Allow it in the settings of the system.",
    retry: true,
  },
  "microphone-missing": { sentence: "No microphone was found. Connect one and try again.", retry: true },

  // This machine
  "ipc-refused": { sentence: "A request from a window was refused ({what}).", retry: false },
  "data-folder-unwritable": {
    sentence: "The data folder {path} cannot be written. Check its permissions and the free space.",
    retry: false,
  },
  "database-unreachable": { sentence: "The database {database} cannot be used: {why}.", retry: true },
  "data-corrupt": {
    sentence: "{path} is damaged. It was left as it is: move it away, or restore it from a backup.",
    retry: false,
  },
  "restore-refused": {
    sentence: "{path} holds data already. A backup is restored into an empty folder, or an empty database.",
    retry: false,
  },
  "data-newer": { sentence: "{path} was written by a newer version of Kith. Install that version.", retry: false },
  "data-in-use": { sentence: "{path} is open in another Kith. Close that one first.", retry: true },
  "profile-locked": {
    sentence: "The system's key store does not give out the key of {path}. Unlock it and start Kith again.",
    retry: true,
  },
  "data-missing": {
    sentence:
      "{path} is missing although {beside} is there. Restore it from a backup, or move {beside} away to begin anew.",
    retry: false,
  },
  "port-in-use": { sentence: "Port {port} is in use. Choose another one with --port.", retry: false },
  "option-invalid": { sentence: "{option}: {why}", retry: false },
});

export type ErrorCode = keyof typeof ERRORS;
export type ErrorDetails = Readonly<Record<string, string | number>>;

/** An error as it crosses a process boundary. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** The only error type that leaves a part of Kith; its message is the sentence for a person. */
export class KithError extends Error {
  override readonly name = "KithError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(sentenceFor(code, details), options);
    this.code = code;
    this.details = details;
  }

  get retry(): boolean {
    return ERRORS[this.code].retry;
  }

  toWire(): WireError {
    return { code: this.code, message: this.message, details: this.details };
  }

  /** An unknown code comes from a newer or a hostile peer: it becomes `internal`, never a guess. */
  static fromWire(wire: WireError): KithError {
    return isErrorCode(wire.code) ? new KithError(wire.code, wire.details) : new KithError("internal");
  }

  /** Whatever was thrown, as a KithError; what we did not foresee is `internal` and keeps its cause for the log. */
  static from(thrown: unknown): KithError {
    return thrown instanceof KithError ? thrown : new KithError("internal", {}, { cause: thrown });
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function sentenceFor(code: ErrorCode, details: ErrorDetails): string {
  return ERRORS[code].sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? "?"));
}

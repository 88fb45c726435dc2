/** Asks for a fresh certificate while the session with the login server is open: past half-life, or of a former network key. */
import { decodeUserCertificate } from "../../protocol/certificate.ts";
import { signingSince } from "../../protocol/network-key-chain.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { LoginSession } from "./login-session.ts";

export interface CertificateRenewalParts {
  readonly anchor: TrustAnchor;
  readonly session: Pick<LoginSession, "open" | "request">;
  /** Ours, the latest. */
  certificate(): Uint8Array;
  renewed(certificate: Uint8Array): Promise<void>;
  readonly surroundings: Pick<Surroundings, "clock" | "background" | "times">;
}

export class CertificateRenewal {
  readonly #parts: CertificateRenewalParts;
  #cancel: () => void = () => {};

  constructor(parts: CertificateRenewalParts) {
    this.#parts = parts;
  }

  /** Looks now and then: everybody at another time, so that a whole network does not ask at once. */
  start(): void {
    const { surroundings } = this.#parts;
    this.#cancel = surroundings.clock.after(surroundings.times.renewalCheckMs, () => {
      surroundings.background.run("certificate", this.#look());
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { session, renewed } = this.#parts;
    if (!session.open || !this.#isDue()) return;
    const { certificate } = await session.request("renew", {});
    if (certificate.length > 0) await renewed(certificate);
  }

  #isDue(): boolean {
    const { anchor, certificate } = this.#parts;
    const { issuedAt, expiresAt } = decodeUserCertificate(certificate()).value;
    const now = anchor.now();
    return now >= (issuedAt + expiresAt) / 2 || issuedAt < signingSince(anchor.keys, now);
  }
}

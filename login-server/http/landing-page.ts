/**
 * The page behind an invitation link, for people who may not have the app yet. Text only: no script, no style or
 * picture from elsewhere, nothing that was typed by anybody. It neither uses the invitation nor says whether it
 * is good, so that whoever previews or guesses links learns nothing.
 */
import { createHash } from "node:crypto";
import { escapeHtml } from "../../protocol/html.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import { appLink, INVITATION_PATH, InvitationToken } from "../../protocol/invitation.ts";
import { readable } from "../../protocol/network-key.ts";
import type { Page } from "./http-server.ts";

export interface LandingPageParts {
  readonly networkName: string;
  readonly networkId: NetworkId;
  /** Of the network's newest key. */
  readonly fingerprint: () => NetworkId;
  readonly publicUrl: () => string;
  readonly downloadUrl: string | null;
}

const STYLE = `
body { margin: 0; font: 17px/1.5 system-ui, sans-serif; color: #1b2330; background: #eef2f7; }
main { max-width: 32rem; margin: 12vh auto; padding: 2.5rem; background: #fff; border-radius: 16px;
  box-shadow: 0 8px 32px #0b1a3318; }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; overflow-wrap: anywhere; }
a.button { display: inline-block; margin: 1rem 0; padding: .8rem 1.6rem; border-radius: 999px; color: #fff;
  background: #0a66d6; text-decoration: none; font-weight: 600; }
a.button:focus-visible { outline: 3px solid #0a66d680; outline-offset: 3px; }
h2 { margin: 1.5rem 0 .3rem; font-size: 1.1rem; }
p { margin: .3rem 0; }
code { font-size: .85rem; overflow-wrap: anywhere; color: #56627a; }
@media (prefers-color-scheme: dark) {
  body { color: #e6ebf3; background: #10151d; }
  main { background: #1a212c; box-shadow: none; }
  code { color: #9aa7bd; }
}
`;

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** @returns null for a path that is none of an invitation */
export function landingPage(path: string, parts: LandingPageParts): Page | null {
  if (!path.startsWith(INVITATION_PATH)) return null;
  const token = InvitationToken.safeParse(path.slice(INVITATION_PATH.length));
  return token.success ? page(200, invitation(token.data, parts)) : page(404, nothing(parts));
}

function invitation(
  token: InvitationToken,
  { networkName, networkId, fingerprint, publicUrl, downloadUrl }: LandingPageParts,
): string {
  const download =
    downloadUrl === null
      ? "<p>Ask whoever has sent you this link for the app.</p>"
      : `<p><a href="${escapeHtml(downloadUrl)}" rel="noreferrer">Download Kith</a>, install it, then come back to this page.</p>`;
  return `<h1>You are invited to ${escapeHtml(networkName)}</h1>
<p>${escapeHtml(networkName)} is a Kith network: calls and messages between people who know each other.</p>
<p><a class="button" href="${escapeHtml(appLink(publicUrl(), token, networkId, fingerprint()))}">Open in Kith</a></p>
<h2>You do not have Kith yet?</h2>
${download}
<h2>Nothing opens?</h2>
<p>Start Kith, press <em>I have an invitation link</em> and paste the address of this page.</p>
<p>Fingerprint of the network: <code>${readable(fingerprint())}</code></p>`;
}

function nothing({ networkName }: LandingPageParts): string {
  return `<h1>${escapeHtml(networkName)}</h1>
<p>This is no complete invitation link. Open it once more from where you got it, all of it.</p>`;
}

function page(status: number, content: string): Page {
  return {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
      "cross-origin-opener-policy": "same-origin",
      "x-robots-tag": "noindex",
    },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Invitation to Kith</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${content}
</main>
</body>
</html>
`,
  };
}

/**
 * `app://kith/…`: the window's own origin. A standard, secure scheme, so that it has
 * microphone access and storage rules of its own, and a Content-Security-Policy that
 * lets nothing in that was not shipped.
 */
import { readFile } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";
import type { Protocol } from "electron";

export const APP_ORIGIN = "app://kith";
export const APP_SCHEME = {
  scheme: "app",
  privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true },
} as const;

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  // WebAssembly: the Opus encoder of voice messages.
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

/** Serves the files of `root` and nothing else. Call once the app is ready. */
export function serveApp(protocol: Protocol, root: string): void {
  protocol.handle(APP_SCHEME.scheme, async (request) => {
    const file = resolveFile(root, request.url);
    if (request.method !== "GET" || file === null) return new Response(null, { status: 404 });
    const type = CONTENT_TYPES[extname(file)];
    if (type === undefined) return new Response(null, { status: 404 });
    try {
      return new Response(new Uint8Array(await readFile(file)), {
        headers: {
          "content-type": type,
          "content-security-policy": CONTENT_SECURITY_POLICY,
          "x-content-type-options": "nosniff",
          "cross-origin-opener-policy": "same-origin",
          "cross-origin-resource-policy": "same-origin",
        },
      });
    } catch {
      return new Response(null, { status: 404 });
    }
  });
}

/** The file that a URL of ours names, or null for anything outside `root`. */
export function resolveFile(root: string, url: string): string | null {
  let parsed: URL;
  let path: string;
  try {
    parsed = new URL(url);
    path = decodeURIComponent(parsed.pathname);
  } catch {
    return null;
  }
  if (parsed.protocol !== "app:" || parsed.host !== "kith" || path.includes("\0")) return null;
  const file = normalize(join(root, path === "/" ? "index.html" : path));
  return file.startsWith(root + sep) ? file : null;
}

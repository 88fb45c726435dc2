import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/**
 * opus-recorder looks for the global object by compiling code, which the app's
 * Content-Security-Policy refuses; it copes, but every start would log a violation.
 */
const withoutCompiledCode: Plugin = {
  name: "without-compiled-code",
  transform(code, id) {
    if (!id.includes("opus-recorder/dist/recorder")) return null;
    return { code: code.replace('new Function("return this")()', "globalThis"), map: null };
  },
};

export default defineConfig({
  root: import.meta.dirname,
  // The window is served from a scheme of its own: no absolute paths.
  base: "./",
  plugins: [react(), withoutCompiledCode],
  // Its sources need Node's globals; the bundle that it ships does not.
  resolve: { alias: { "simple-peer": "simple-peer/simplepeer.min.js" } },
  build: {
    outDir: "../out/app/renderer",
    emptyOutDir: true,
    target: "chrome130",
    // The Content-Security-Policy has no place for data: scripts, and the audio worklet is loaded by its address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1_500,
  },
});

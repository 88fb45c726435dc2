/** The real renderer with a fake bridge, to look at: `npx vite build -c test/preview/vite.config.ts`. */
import { mergeConfig } from "vite";
import renderer from "../../renderer/vite.config.ts";

export default mergeConfig(renderer, {
  root: import.meta.dirname,
  build: { outDir: "../../out/renderer-preview" },
});

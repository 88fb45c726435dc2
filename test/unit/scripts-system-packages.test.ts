import { describe, expect, it } from "vitest";
import { missingInLdd, packagesFor } from "../../scripts/system-packages.ts";

const LDD = `/tmp/electron:
\tlinux-vdso.so.1 (0x00007ffe)
\tlibffmpeg.so => /tmp/libffmpeg.so (0x00007f1)
\tlibnss3.so => not found
\tlibatk-1.0.so.0 => not found
/tmp/libEGL.so:
\tlibnss3.so => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2)
`;

describe("what Electron needs of the system", () => {
  it("is what the dynamic linker cannot find, each once", () => {
    expect(missingInLdd(LDD)).toEqual(["libnss3.so", "libatk-1.0.so.0"]);
  });

  it("is nothing when everything is found", () => {
    expect(missingInLdd("\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tstatically linked\n")).toEqual([]);
  });

  it("comes from the package that this release of Debian has", async () => {
    const needs = { libraries: ["libatk-1.0.so.0", "libnss3.so", "libsmime3.so"], xvfb: true };
    const bookworm = await packagesFor(needs, async (name) => !name.endsWith("t64"));
    expect(bookworm).toEqual({ packages: ["libatk1.0-0", "libnss3", "xvfb"], unknown: [] });
    const trixie = await packagesFor(needs, async () => true);
    expect(trixie.packages).toEqual(["libatk1.0-0t64", "libnss3", "xvfb"]);
  });

  it("is still named when the package lists are empty, as on a fresh machine", async () => {
    const { packages } = await packagesFor({ libraries: ["libasound.so.2"], xvfb: false }, async () => false);
    expect(packages).toEqual(["libasound2"]);
  });

  it("is not guessed for a library that we do not know", async () => {
    const found = await packagesFor({ libraries: ["libnew.so.9"], xvfb: false }, async () => true);
    expect(found).toEqual({ packages: [], unknown: ["libnew.so.9"] });
  });
});

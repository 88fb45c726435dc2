/**
 * Memory in pages of two megabytes instead of four kilobytes, where Linux gives them to whoever asks (madvise(2);
 * "transparent huge pages"). Among millions of records every look-up is somewhere else, and finding the page
 * that it is on costs about as much as reading it.
 */

const MADV_HUGEPAGE = 14;
/** Linux 6.1: at once, and also where there is a small page already. */
const MADV_COLLAPSE = 25;
const HUGE_PAGE_BYTES = 2 << 20;
/** The common size; where pages are larger the system refuses, and small ones have to do. */
const PAGE_BYTES = 4_096;

/** @returns how to ask for them, undefined where that is not possible */
export async function hugePageAdvice(): Promise<((memory: ArrayBuffer) => void) | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    const { default: koffi } = await import("koffi");
    const madvise: (address: number, length: number, advice: number) => number = koffi
      .load(null)
      .func("int madvise(uint64_t address, uint64_t length, int advice)");
    return (memory) => {
      const begin = Number(koffi.address(new Uint8Array(memory)));
      const from = Math.floor(begin / PAGE_BYTES) * PAGE_BYTES;
      const to = Math.ceil((begin + memory.byteLength) / PAGE_BYTES) * PAGE_BYTES;
      // Advice is not always taken, and nothing is lost then.
      madvise(from, to - from, MADV_HUGEPAGE);
      // The allocator has written its few bytes to the first page, so this one would stay small.
      madvise(from, HUGE_PAGE_BYTES, MADV_COLLAPSE);
    };
  } catch {
    // No native module for this machine: small pages do as well.
    return undefined;
  }
}

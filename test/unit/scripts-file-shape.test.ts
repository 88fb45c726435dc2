import { expect, it } from "vitest";
import { findMisshapen } from "../../scripts/file-shape.ts";

const long = (lines: number) => "x\n".repeat(lines);

it.each([
  ["relay/lease.ts", long(401), "has 401 lines"],
  ["relay/turn/wire/x.ts", "x", "lies 3 folders deep"],
  ["relay/utils.ts", "x", "name it after what it is about"],
  ["relay/common/lease.ts", "x", "name it after what it is about"],
  ["main/core/call-helper.ts", "x", "name it after what it is about"],
])("complains about %s", (file, source, complaint) => {
  expect(findMisshapen(new Map([[file, source]]))).toEqual([expect.stringContaining(complaint)]);
});

it.each([
  ["relay/turn/allocation.ts", long(400)],
  ["relay/commonwealth.ts", "x"],
])("is content with %s", (file, source) => {
  expect(findMisshapen(new Map([[file, source]]))).toEqual([]);
});

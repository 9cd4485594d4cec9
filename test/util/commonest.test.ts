import { expect, it } from "vitest";
import { commonest } from "../../lib/util/commonest";

it("the most common value is that of most, of a draw the first; of nothing there is none", () => {
  expect(commonest(["wolf", "fox", "fox"])).toEqual({ value: "fox", count: 2 });
  expect(commonest(["wolf", "fox"])).toEqual({ value: "wolf", count: 1 });
  expect(commonest(["", "", "fox"])).toEqual({ value: "", count: 2 });
  expect(commonest([])).toBeNull();
});

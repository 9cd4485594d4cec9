import { describe, expect, it } from "vitest";
import { ropePositions } from "../../lib/model/positions";
import { tinyConfig } from "../../lib/model/tiny";
import { continued } from "../../lib/rollout/continued";

const IDS = {
  imageTokenId: 9,
  videoTokenId: 8,
  visionStartTokenId: 7,
  visionEndTokenId: 6,
  eosTokenId: 1,
  padTokenId: 0,
};
const config = tinyConfig(32, IDS);

describe("continued", () => {
  it("is the row that the whole text would have, with an image before it", () => {
    const prompt = [2, 7, 9, 9, 9, 9, 6, 3]; // an image of 4 x 4 patches is four tokens
    const begun = [4, 5, 4];
    const rowOf = (ids: number[]) => {
      const { temporal, height, width } = ropePositions(config, ids, [[1, 4, 4]]);
      let place = 0;
      return {
        inputIds: ids,
        positionIds: [temporal, height, width].map((row) => [...row]),
        featureIndex: ids.map((id) => (id === IDS.imageTokenId ? place++ : -1)),
      };
    };
    expect(continued(rowOf(prompt), begun)).toEqual(rowOf([...prompt, ...begun]));
  });

  it("changes nothing without a beginning", () => {
    const row = {
      inputIds: [2, 3],
      positionIds: [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
      featureIndex: [-1, -1],
    };
    expect(continued(row, [])).toEqual(row);
  });
});

/** A figure that is not known exactly: what is expected, and between which bounds. */
export interface Range {
  low: number;
  central: number;
  high: number;
}

export const exactly = (value: number): Range => ({ low: value, central: value, high: value });

/** Each of the three, by a function that grows with its argument. */
export const mapRange = ({ low, central, high }: Range, by: (value: number) => number): Range => ({
  low: by(low),
  central: by(central),
  high: by(high),
});

/** The sum of ranges, bound by bound: errors of one origin go the same way, so none cancel. */
export const sumRanges = (ranges: readonly Range[]): Range =>
  ranges.reduce(
    (sum, one) => ({ low: sum.low + one.low, central: sum.central + one.central, high: sum.high + one.high }),
    exactly(0),
  );

/** `central` over and times `factor`. */
export const within = (central: number, factor: number): Range => ({
  low: central / factor,
  central,
  high: central * factor,
});

/** How often `part` stands in `text`, without overlaps. */
export const occurrences = (text: string, part: string): number => text.split(part).length - 1;

import { describe, expect, it } from "vitest";
import { jobName } from "../../lib/cluster/job-store";
import { parseStoreUrl } from "../../lib/cluster/store-url";

describe("the URL of a store", () => {
  it.each([
    ["s3://bucket/folder/", "s3://bucket/folder"],
    ["gs://bucket", "gs://bucket"],
    ["file:///mnt/x//", "file:///mnt/x"],
    ["s3://bucket/who@where", "s3://bucket/who@where"],
  ])("%s", (text, url) => expect(parseStoreUrl(text)).toBe(url));

  it.each([
    ["bucket/folder", /no protocol/],
    ["/mnt/x", /no protocol/],
    ["s3:/bucket", /no protocol/],
    ["s3://key:secret@bucket/x", /name or password.*environment/],
    ["s3://key@bucket", /name or password/],
    ["abfs://c/x?sig=secret", /query or fragment/],
    ["simplecache::s3://secret", /no protocol/],
    ["s3://secret::file:///x", /chain/],
    ["s3://bucket/../secret", /no folder/],
    ["s3:///", /no folder/],
    ["file://secret/x", /three slashes/],
    ["memory://secret", /one process/],
    ["https://secret/x", /read alone/],
    ["s3://bucket/secret x", /space/],
  ])("%s is refused, and not shown", (text, why) => {
    expect(() => parseStoreUrl(text)).toThrow(why);
    expect(() => parseStoreUrl(text)).toThrow(/such as s3:\/\/bucket\/folder/);
    expect(() => parseStoreUrl(text)).not.toThrow(/secret/);
  });
});

describe("jobs", () => {
  it("have names in order of time, which the Python side knows", () => {
    const name = jobName(new Date("2026-02-03T04:05:06Z"), "0123abcd");
    expect(name).toBe("job-20260203040506-0123abcd");
    expect(jobName()).toMatch(/^job-\d{14}-[0-9a-f]{8}$/);
    expect(jobName()).not.toBe(jobName());
  });
});

import { describe, expect, it } from "vitest";
import { leadingWords, neededWords, type Word } from "../../src/events/literal-filter.ts";
import { scriptOf } from "../../src/events/regex-script.ts";
import { type Tree, treeOf } from "../../src/events/regex-tree.ts";

const told = (of: (tree: Tree) => readonly Word[] | undefined, pattern: string) =>
  of(treeOf(pattern) as Tree)?.map((word) =>
    scriptOf({ kind: "all", parts: word }).replace(/\\u\{([0-9a-f]+)\}/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16))),
  );
const words = (pattern: string) => told(neededWords, pattern);

describe("the words that a pattern needs", () => {
  it.each([
    ["lawyer|attorney", ["lawyer", "attorney"]],
    ["(?i)pay", ["[pP][aA][yY]"]],
    ["pass(word|phrase)\\s*[:=]", ["password", "passphra"]],
    ["\\bdrop\\s+table\\b", ["table"]],
    ["https?://[^\\s]*\\.ru/", ["http://", "https://"]],
    ["(BEGIN|END) +(RSA|EC) KEY", ["RSA KEY", "EC KEY"]],
    ["ab{2}cde+", ["abbcd"]],
    ["(abc)+d*", ["abc"]],
    ["x*(?:foo|ba(r|z))y*", ["foo", "bar", "baz"]],
    ["[0-9]{5}-.*", ["[0-9][0-9][0-9][0-9][0-9]-"]],
    ["a.*transaction", ["transact"]],
  ])("are told of %s", (pattern, told) => {
    expect(
      words(pattern)
        ?.map((word) => word.replace("(?:", "").replace("){2,2}", ""))
        .toSorted(),
    ).toEqual([...told].toSorted());
  });

  it.each(["ab+", "abc|x+", "(abc)*", "abc?d*", ".*", "\\d{3}.*", "[[:alpha:]]{9}"])("are not told of %s: it is always tried", (pattern) => {
    expect(words(pattern)).toBeUndefined();
  });
});

describe("the words with which every match of a pattern begins", () => {
  it.each([
    ["https?://[^\\s]*\\.ru/", ["http://", "https://"]],
    ["\\bdrop\\s+table\\b", ["drop[\t-\n\f-\r ]"]],
    ["(?i)pay.*now", ["[pP][aA][yY]"]],
    ["(lawyer|attorney) .*fee", ["lawyer ", "attorney"]],
    ["(?:foo|bar+)x*", ["foo", "bar"]],
    ["(abc)+d*", ["abc"]],
    ["(?:a|bcd)efg.*", ["aefg", "bcdefg"]],
  ])("are told of %s", (pattern, expected) => {
    expect(told(leadingWords, pattern)?.toSorted()).toEqual([...expected].toSorted());
  });

  it.each([".*transaction", "x*abc", "a?b?c?def*", "abc|x+", "[a-z]{9}x", "(?:abc)?.*"])("are not told of %s: the whole text is read", (pattern) => {
    expect(told(leadingWords, pattern)).toBeUndefined();
  });
});

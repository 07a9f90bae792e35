import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DETECTORS, detected, normal } from "../../src/evals/redact/detectors.ts";

const hide = (text: string) => detected(text, (kind) => `<${kind}>`);

describe("telephone numbers", () => {
  test.each([
    // North America
    ["(415)555-2671", "<phone>"],
    ["call me at (212)555-0123 ok", "call me at <phone> ok"],
    ["(415) 5552671", "<phone>"],
    ["call 1-415-555-2671 now", "call <phone> now"],
    ["1 (415) 555-2671", "<phone>"],
    ["1.415.555.2671", "<phone>"],
    ["415.555.2671", "<phone>"],
    // The area in brackets
    ["ring (020) 7946 0958 please", "ring <phone> please"],
    ["Tel. (030) 1234567", "Tel. <phone>"],
    ["(03) 9999 1234", "<phone>"],
    ["(044) 668 18 00", "<phone>"],
    // Five pairs
    ["06 98 76 54 32", "<phone>"],
    ["06 12 34 56 78", "<phone>"],
    ["06.98.76.54.32", "<phone>"],
    ["06.12.24.10.30", "<phone>"],
    ["06-12-34-56-78", "<phone>"],
    ["01\u00a042\u00a068\u00a053\u00a000", "<phone>"],
    ["06 12 34 56 78/06 98 76 54 32", "<phone>/<phone>"],
    // With the area
    ["089 / 123 456", "<phone>"],
    ["030/1234567", "<phone>"],
    ["044.668.18.00", "<phone>"],
    ["079 123 45 67, 0170-1234567", "<phone>, <phone>"],
    ["03-1234-5678", "<phone>"],
    ["Tel.+41 44 668 18 00", "Tel.<phone>"],
    // With the country
    ["+49 (0)30 1234567", "<phone>"],
    ["https://x.example/u?p=%2B41446681800&x=1", "https://x.example/u?p=<phone>&x=1"],
    // Before a date
    ["044 668 18 00 2024-05-15", "<phone> 2024-05-15"],
    ["+41 44 668 18 00 2024-05-15", "<phone> 2024-05-15"],
    ["06 12 34 56 78 15.05.2024", "<phone> 15.05.2024"],
  ])("%s becomes %s", (text, after) => expect(hide(text)).toBe(after));

  test.each([
    // Dates and times
    "05-15-2024 10:30",
    "05.12.2024 08.30",
    "05 12 2024",
    "01/02/2024 1234",
    "2024/05/15 1030",
    "05/2024 000123",
    "(01) 2024-05-15",
    "report_06-12-24-10-30.csv",
    "06-12-24-10-30",
    "24/06/12/10/30 06/12/24/10/30",
    "open 08.30 to 09.15, 10.45 to 12.30",
    "2024-05-20T10:00:00.000Z 2024-05-21 2024-05-22",
    // Numbers of orders, accounts and versions
    "order 0012345678",
    "order 4421486, 98765 43210",
    "ORD-2024-000123-0456",
    "order-415-555-2671",
    "v01.02.0034",
    "01.02.03.04",
    "010.020.030.040",
    "192.168.100.200",
    "0192f3a4-5b6c-7d8e-9f01-234567890abc",
    "01234567-0123-4567-89ab-0123456789ab",
    // Amounts
    "1,234,567.89 or 1 234 567.89",
    "12 345 678",
    "0.50 12.00 100.25",
    "CHF 1'250'000.00",
    "USD 100 200 300",
    "(1200) 3456",
    "(100) 4421486",
    "(of 250) 4421486",
    "100% of 40 items at 20% off",
  ])("are not taken for one, and stay: %s", (text) => expect(hide(text)).toBe(text));

  test("written in several ways are one", () => {
    const ways = ["+41 44 668 18 00", "+41446681800", "%2B41446681800", "+41 (44) 668-18-00"];
    expect(new Set(ways.map((way) => normal("phone", way)))).toEqual(new Set(["41446681800"]));
  });
});

describe("email addresses", () => {
  test.each([
    ["https://x.example/u?mail=jo%40example.com", "https://x.example/u?mail=<email>"],
    ["https://x.example/u?mail=jo%40example.com&x=1", "https://x.example/u?mail=<email>&x=1"],
    ["?next=%2Fu%3Fmail%3Djo%2540example.com", "?next=<email>"],
    ["jo\uff20example.com", "<email>"],
  ])("are found in URLs too: %s becomes %s", (text, after) => expect(hide(text)).toBe(after));

  test("written in several ways are one", () => {
    expect(new Set(["Jo@Example.com", "jo%40example.com", "jo%2540example.com"].map((way) => normal("email", way)))).toEqual(new Set(["jo@example.com"]));
  });
});

test("no detector passes over a text in which it would find something", () => {
  const all = DETECTORS.map((detector) => ({ ...detector, worth: () => true }));
  const digits = fc.integer({ min: 0, max: 99_999 }).map(String);
  const sign = fc.constantFrom(
    ..." -./()+_x0@%:\u00a0",
    "(0",
    ") ",
    "00",
    " / ",
    "%2B",
    "%40",
    "DE89",
    "04",
    "+4",
    "a@b.ch",
    "4111 1111 1111 1111",
    "415-555-2671",
  );
  const text = fc.array(fc.oneof(digits, sign), { maxLength: 14 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, (given) => {
      expect(hide(given)).toBe(detected(given, (kind) => `<${kind}>`, all));
    }),
    { numRuns: 3000 },
  );
});

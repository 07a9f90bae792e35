import { expect, test } from "vitest";
import { CountersignError } from "../../src/errors.ts";
import { readTools } from "../../src/producers/tools.ts";

const schema = { type: "object", properties: { bill: { type: "integer" } }, required: ["bill"] };

test.each([
  ["OpenAI function format", [{ type: "function", function: { name: "pay", description: "Pays.", parameters: schema } }]],
  ["plain name and parameters", [{ name: "pay", parameters: schema }]],
  ["an object with tools", { tools: [{ name: "pay", parameters: schema }] }],
])("tools are read in this form: %s", (_, value) => {
  const tools = readTools(JSON.stringify(value, null, 1), "tools.json");
  expect(tools.names).toEqual(["pay"]);
  expect(tools.schemas.get("pay")).toBe('{"properties":{"bill":{"type":"integer"}},"required":["bill"],"type":"object"}');
});

test("a tool without parameters is known and has no schema", () => {
  const tools = readTools('[{"name":"ping"}]', "tools.json");
  expect([tools.names, tools.schemas.size]).toEqual([["ping"], 0]);
});

test.each([
  ["{", "is not valid JSON"],
  ['{"a":1}', "tools must be a list"],
  ['[{"parameters":{}}]', "tool 1 has no name"],
  ['[{"name":"a"},{"name":"a"}]', "the tool a is described twice"],
  ['[{"name":"a","parameters":[]}]', "the parameters of a must be a JSON Schema object"],
])("a tools file of another shape is refused by name: %s", (text, message) => {
  expect(() => readTools(text, "tools.json")).toThrow(CountersignError);
  expect(() => readTools(text, "tools.json")).toThrow(`tools.json: ${message}`);
});

import { CountersignError } from "../errors.ts";
import type { ItemView, ListAnswer } from "../producers/wire/answers.ts";
import type { Api } from "./http.ts";

const FULL = /^[0-9a-f]{32}$/;
const PREFIX = /^[0-9a-f]{6,31}$/;

/** The full id that a person typed, or the beginning of which they typed. @throws CountersignError usage, not_found */
export async function itemIdOf(api: Api, typed: string): Promise<string> {
  const id = typed.trim().toLowerCase();
  if (FULL.test(id)) return id;
  if (!PREFIX.test(id))
    throw new CountersignError("usage", `${JSON.stringify(typed)} is no item id`, {
      field: "id",
      value: typed,
      fix: "give the 32 hex digits of an item, or at least the first 6 of them",
    });
  const { items } = await api.call<ListAnswer>("GET", `/v1/items?idPrefix=${id}&limit=2`);
  const [only, second] = items.map((item) => item.itemId);
  if (second !== undefined)
    throw new CountersignError("usage", `${id} begins more than one item: ${only}, ${second}`, { field: "id", value: typed, fix: "give more digits" });
  if (only === undefined)
    throw new CountersignError("not_found", `No item that this key may see begins with ${id}`, {
      field: "id",
      value: typed,
      fix: "look for it with `countersign queue --all`",
    });
  return only;
}

/** An item by its id or the beginning of it. */
export async function fetchItem(api: Api, typed: string): Promise<ItemView> {
  return api.call<ItemView>("GET", `/v1/items/${await itemIdOf(api, typed)}`);
}

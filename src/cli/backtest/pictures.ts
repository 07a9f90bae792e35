import { esc } from "../../events/visible.ts";
import { type Backtest, WAYS, type Way } from "../../policy/backtest.ts";

const WIDTH = 720;
const BAR = 14;

/** Where items went and where they would go, as bands between two columns; a band is as high as its number of items. */
export function flowPicture({ cells, proposals }: Backtest): string {
  const height = 260;
  const gap = 10;
  const sides = (side: "before" | "after") => WAYS.filter((way) => cells.some((cell) => cell[side] === way));
  const most = Math.max(sides("before").length, sides("after").length);
  const scale = (height - gap * (most - 1)) / Math.max(1, proposals);
  const columns = { before: stack(cells, "before", scale, gap), after: stack(cells, "after", scale, gap) };
  const bands = WAYS.flatMap((before) =>
    WAYS.map((after) => {
      const count = cells.filter((cell) => cell.before === before && cell.after === after).reduce((sum, cell) => sum + cell.count, 0);
      const [left, right] = [columns.before.get(before), columns.after.get(after)];
      if (count === 0 || left === undefined || right === undefined) return "";
      const thick = count * scale;
      const [y0, y1] = [left.next + thick / 2, right.next + thick / 2];
      left.next += thick;
      right.next += thick;
      const title = `<title>${before} → ${after}: ${count}</title>`;
      return `<path class="band w-${after}" d="M158 ${n(y0)}C360 ${n(y0)} 360 ${n(y1)} 562 ${n(y1)}" stroke-width="${n(Math.max(1, thick))}">${title}</path>`;
    }),
  );
  const column = (side: "before" | "after", x: number) =>
    [...columns[side]].map(([way, { y, height: tall, count }]) => {
      const [at, anchor] = side === "before" ? [x - 8, "end"] : [x + BAR + 8, "start"];
      return `<rect class="w-${way}" x="${x}" y="${n(y)}" width="${BAR}" height="${n(Math.max(1, tall))}"/><text x="${at}" y="${n(y + tall / 2 + 4)}" text-anchor="${anchor}">${way} ${count}</text>`;
    });
  return svg("Where items went, and where they would go", height, [...bands, ...column("before", 144), ...column("after", 562)].join(""));
}

interface Stacked {
  readonly y: number;
  readonly height: number;
  readonly count: number;
  /** Where the next band begins. */
  next: number;
}

function stack(cells: Backtest["cells"], side: "before" | "after", scale: number, gap: number): Map<Way, Stacked> {
  const out = new Map<Way, Stacked>();
  let y = 0;
  for (const way of WAYS) {
    const count = cells.filter((cell) => cell[side] === way).reduce((sum, cell) => sum + cell.count, 0);
    if (count === 0) continue;
    out.set(way, { y, height: count * scale, count, next: y });
    y += count * scale + gap;
  }
  return out;
}

/** Reviews a day of one owner, then and now, from the first day of all to the last. */
export function reviewPicture(owner: string, reviews: Backtest["reviews"], days: readonly string[]): string {
  const height = 120;
  const of = new Map(reviews.filter((review) => review.owner === owner).map((review) => [review.day, review]));
  const most = Math.max(1, ...[...of.values()].flatMap(({ before, after }) => [before, after]));
  const slot = (WIDTH - 50) / Math.max(1, days.length);
  const bar = Math.max(0.5, Math.min(18, slot * 0.38));
  const bars = days.flatMap((day, i) => {
    const { before = 0, after = 0 } = of.get(day) ?? {};
    const x = 44 + i * slot + slot / 2;
    const rect = (kind: string, at: number, count: number) => {
      const tall = (count / most) * (height - 30);
      return `<rect class="${kind}" x="${n(at)}" y="${n(height - 20 - tall)}" width="${n(bar)}" height="${n(tall)}"><title>${day}: ${before} → ${after}</title></rect>`;
    };
    return [rect("then", x - bar, before), rect("now", x, after)];
  });
  const axis = `<line class="axis" x1="40" x2="${WIDTH}" y1="${height - 20}" y2="${height - 20}"/><text x="34" y="14" text-anchor="end">${most}</text><text x="34" y="${height - 16}" text-anchor="end">0</text>`;
  const ends = `<text x="44" y="${height - 4}">${days[0] ?? ""}</text>${days.length > 1 ? `<text x="${WIDTH}" y="${height - 4}" text-anchor="end">${days.at(-1)}</text>` : ""}`;
  return svg(`Reviews a day of ${owner}, before and now`, height, axis + bars.join("") + ends);
}

/** How often each budget took hold. */
export function budgetPicture(hits: Backtest["budgetHits"]): string {
  const most = Math.max(1, ...hits.map(({ count }) => count));
  const rows = hits.map(({ budget, count }, i) => {
    const y = i * 30;
    const name = budget.length > 60 ? `${budget.slice(0, 59)}…` : budget;
    return `<text x="0" y="${y + 11}">${esc(name)}</text><rect class="now" x="0" y="${y + 15}" width="${n((count / most) * (WIDTH - 80))}" height="8"/><text x="${n((count / most) * (WIDTH - 80) + 8)}" y="${y + 23}">${count}</text>`;
  });
  return svg("How often each budget took hold", hits.length * 30, rows.join(""));
}

function svg(label: string, height: number, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${esc(label)}">${content}</svg>`;
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** One bar. */
export interface Bar {
  readonly label: string;
  readonly value: number;
}

const WIDTH = 720;
const ROW = 26;
const LABELS = 260;

/** A bar chart as an SVG that needs no script and no font of its own. The same bars give the same bytes. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const most = Math.max(1, ...bars.map((bar) => bar.value));
  const height = 48 + Math.max(1, bars.length) * ROW;
  const room = WIDTH - LABELS - 80;
  const rows = bars.map(({ label, value }, i) => {
    const y = 44 + i * ROW;
    const width = Math.max(value > 0 ? 1 : 0, Math.round((value / most) * room));
    return [
      `<text x="${LABELS - 8}" y="${y + 14}" text-anchor="end">${escaped(shortened(label))}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${width}" height="18" rx="2" fill="#3b6ea5"/>`,
      `<text x="${LABELS + width + 6}" y="${y + 14}">${value}</text>`,
    ].join("");
  });
  const none = bars.length === 0 ? `<text x="16" y="58">nothing</text>` : "";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="#1c2733"><title>${escaped(title)}</title><rect width="100%" height="100%" fill="#ffffff"/><text x="16" y="26" font-size="16" font-weight="600">${escaped(title)}</text>${rows.join("")}${none}</svg>\n`;
}

function shortened(label: string): string {
  return label.length > 36 ? `${label.slice(0, 35)}…` : label;
}

/** Text that is safe inside SVG and HTML. Control characters are not allowed in XML at all. */
function escaped(text: string): string {
  const safe = text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, " ");
  return safe.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

// The bench's results as a picture (SVG): a bar for the median, a dot for each round, time on a logarithmic scale,
// because outages lie between the ten milliseconds of the client's own pace and several seconds.

import { median } from '../statistics.js';
import { milliseconds, type Row } from './report.js';
import type { VariantName } from './variants.js';

const colors: Readonly<Record<VariantName, string>> = { keepalived: '#b8b8b8', uvs: '#2f7d4f' };
const left = 200;
const right = 760;
const rowHeight = 22;
const decades = [10, 100, 1000, 10_000] as const;
const title = 'Outage seen by a client that asks 100 times a second';

export function pictureOf(rows: readonly Row[]): string {
  const parts: string[] = [];
  let y = 60;
  let timing = '';
  const top = y;
  for (const row of rows) {
    if (row.timing !== timing) {
      timing = row.timing;
      y += 14;
      parts.push(text(20, y + 14, timing, 'font-weight="bold"'));
      y += rowHeight + 4;
    }
    const middle = median(row.takeover_ms);
    parts.push(
      text(30, y + 14, `${row.scenario}, ${row.variant}`),
      `<rect x="${left}" y="${y + 3}" width="${(x(middle) - left).toFixed(1)}" height="${rowHeight - 8}" fill="${colors[row.variant]}"/>`,
      ...row.takeover_ms.map(
        (value) =>
          `<circle cx="${x(value).toFixed(1)}" cy="${y + rowHeight / 2 - 1}" r="3" fill="#222222" fill-opacity="0.6"/>`,
      ),
      text(x(row.takeover_ms.at(-1) ?? middle) + 8, y + 14, `${milliseconds(middle)} ms`),
    );
    y += rowHeight;
  }
  const grid = decades.flatMap((value) => [
    `<line x1="${x(value)}" y1="${top}" x2="${x(value)}" y2="${y + 6}" stroke="#dddddd"/>`,
    text(x(value), y + 22, value < 1000 ? `${value} ms` : `${value / 1000} s`, 'text-anchor="middle"'),
  ]);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="860" height="${y + 40}" font-family="sans-serif" font-size="12">
<title>${title}</title>
<rect width="860" height="${y + 40}" fill="#ffffff"/>
${text(20, 28, title, 'font-size="16" font-weight="bold"')}
${text(20, 48, 'bar: median of the rounds; dots: each round; 10 ms is the client’s own pace. A killed keepalived leaves its addresses to its kernel.')}
${[...grid, ...parts].join('\n')}
</svg>
`;
}

/** Milliseconds to a place on the axis. */
function x(value: number): number {
  const share = Math.log10(Math.max(value, decades[0]) / decades[0]) / (decades.length - 1);
  return left + share * (right - left);
}

function text(atX: number, atY: number, content: string, attributes = ''): string {
  return `<text x="${atX.toFixed(1)}" y="${atY}" ${attributes}>${content}</text>`;
}

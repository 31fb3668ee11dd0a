const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `0 B`, `1023 B`, `1.0 KiB`, `12.3 GiB`, `456 TiB`: three or four digits, binary units. */
export function formatSize(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1_023.5 && unit < UNITS.length - 1) {
    amount /= 1_024;
    unit += 1;
  }
  return `${amount.toFixed(unit > 0 && amount < 99.95 ? 1 : 0)} ${UNITS[unit]}`;
}

/** Bytes in a span of time, per second; `-` where the span is too short to say. */
export function formatRate(bytes: number, ms: number): string {
  return ms < 1 ? '-' : `${formatSize((bytes * 1_000) / ms)}/s`;
}

/** `1,234,567`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 file`, `2 files`, `1,000 files`. */
export function formatFiles(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'file' : 'files'}`;
}

import { describe, expect, it } from '@jest/globals';
import { nanosecondTime } from '#archive/file-lines.js';
import { eventLine } from './event-line.js';
import { fileLines, modeText } from './file-line.js';
import { keepEnd, printable } from './printable.js';
import { RateMeter } from './rate-meter.js';
import { formatCount, formatRate, formatSize } from './size.js';
import { fieldLines, tableLines } from './table.js';
import { formatDuration, formatElapsed, formatTime } from './time.js';

describe('figures for people', () => {
  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1.0 KiB'],
    [1_048_575, '1.0 MiB'],
    [110_000, '107 KiB'],
    [1_610_612_736, '1.5 GiB'],
    [5_000_000_000_000_000, '4.4 PiB'],
  ])('a size of %d bytes is %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it('counts have commas, rates have a time', () => {
    expect(formatCount(1_234_567)).toBe('1,234,567');
    expect(formatRate(1_048_576, 500)).toBe('2.0 MiB/s');
    expect(formatRate(1, 0)).toBe('-');
  });

  it.each([
    [400, '0.4s'],
    [12_000, '12s'],
    [184_000, '3m04s'],
    [7_500_000, '2h05m'],
    [284_400_000, '3d07h'],
  ])('%d ms are %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('what has not begun has taken no time', () => {
    const now = new Date('2026-01-01T00:00:20Z');
    expect(formatElapsed(null, null, now)).toBe('-');
    expect(formatElapsed('2026-01-01T00:00:00Z', null, now)).toBe('20s');
  });
});

describe('a time that no calendar has', () => {
  it.each([
    ['9007199254740993000000001', '@9007199254740993'],
    ['-9007199254740993000000000', '@-9007199254740993'],
    ['-9007199254740993000000001', '@-9007199254740994'],
  ])('%s nanoseconds are shown as seconds, for `date -d`', (mtimeNs, text) => {
    expect(nanosecondTime(mtimeNs)).toBe(text);
    expect(formatTime(nanosecondTime(mtimeNs))).toBe(text);
    const file = { directory: 'tmp', name: 'odd', type: 'f', size: 1, mtimeNs } as const;
    const [line] = fileLines([{ ...file, mode: 0o644, uid: 0, gid: 0, extra: '' }]);
    expect(line).toMatch(new RegExp(` 1  ${text.padEnd(19)}  /tmp/odd$`));
  });
});

describe('a table', () => {
  it('has aligned columns and a dash for nothing', () => {
    const columns = [
      { title: 'NAME', cell: (row: { name: string | null; n: number }) => row.name },
      { title: 'N', right: true, cell: (row: { name: string | null; n: number }) => row.n },
    ];
    const rows = [
      { name: 'über', n: 7 },
      { name: null, n: 1_000 },
    ];
    expect(tableLines(columns, rows)).toEqual(['NAME     N', 'über     7', '-     1000']);
  });

  it('shows one thing as names and values', () => {
    expect(
      fieldLines([
        ['A', 1],
        ['Long', ''],
      ]),
    ).toEqual(['A:     1', 'Long:  -']);
  });
});

describe('text from elsewhere', () => {
  it('cannot steer a terminal', () => {
    expect(printable('a\u001b[2J\u009b1m\u202eb\n')).toBe(
      'a\\x1b[2J\\xc2\\x9b1m\\xe2\\x80\\xaeb\\x0a',
    );
  });

  it('is cut in front', () => {
    expect(keepEnd('/a/long/path', 6)).toBe('…/path');
    expect(keepEnd('/a', 6)).toBe('/a');
  });
});

describe('a rate', () => {
  it('is that of the last seconds, and begins anew when the counter does', () => {
    const meter = new RateMeter();
    expect(meter.perSecond()).toBeNull();
    for (let second = 0; second <= 20; second++) meter.add(second * 1_000, second * 100);
    expect(meter.perSecond()).toBe(100);
    meter.add(21_000, 12_000);
    expect(meter.perSecond()).toBeGreaterThan(1_000);
    meter.add(22_000, 0);
    expect(meter.perSecond()).toBeNull();
  });
});

describe('one line', () => {
  it('shows a mode as ls does', () => {
    expect(modeText({ type: 'f', mode: '4755' })).toBe('-rwsr-xr-x');
    expect(modeText({ type: 'd', mode: '1777' })).toBe('drwxrwxrwt');
    expect(modeText({ type: 'f', mode: '6644' })).toBe('-rwSr-Sr--');
  });

  it('shows an event with what says most', () => {
    const line = eventLine({
      specversion: '1.0',
      id: 'e',
      source: '/holdfast/jobs',
      type: 'io.holdfast.job.done.v1',
      subject: '7',
      time: '2026-01-01T00:00:00Z',
      datacontenttype: 'application/json',
      data: { state: 'done', status: 0, message: '', client: 'web1' },
    });
    expect(line).toContain('job.done 7  state=done status=0 client=web1');
  });
});

import { z } from 'zod';
import { JournalDamaged } from '../errors.js';
import type { JournalFiles } from './journal-files.js';
import { encodeUnit, scanUnits, type Unit, type UnitScan } from './journal-unit.js';
import { recordLine, recordsOf, type ParseRecord, type RecordLine } from './record-text.js';

/** Payload of one unit of a snapshot; a unit holds whole records. */
const SNAPSHOT_UNIT_BYTES = 1024 * 1024;

const snapshotHead = z.object({
  type: z.literal('SNAPSHOT'),
  version: z.literal(1),
  /** Records of segments up to this one are in it. */
  throughSegment: z.int().nonnegative(),
  /** The number of the last unit of that segment. */
  throughSequence: z.int().nonnegative(),
  records: z.int().nonnegative(),
});

export interface Position {
  readonly segment: number;
  readonly sequence: number;
}

/** Where a replay ended: the last segment, if there is one, and how far it is good. */
export interface ReplayEnd extends Position {
  readonly goodEnd: number;
  readonly tornBytes: number;
}

/** Gives every record of a snapshot to `onRecord` and says what it stands for. */
export async function replaySnapshot<R>(
  files: JournalFiles,
  parse: ParseRecord<R>,
  onRecord: (record: R) => void,
): Promise<Position> {
  const file = await files.readSnapshot();
  if (!file) return { segment: 0, sequence: 0 };
  const { units, tail } = scanUnits(file);
  const damaged = () => new JournalDamaged(files.snapshotPath, 'the journal snapshot is damaged');
  const [first, ...rest] = units;
  if (!first || tail !== 'clean') throw damaged();
  const [head] = [...recordsOf(first.payload, files.snapshotPath, (v) => snapshotHead.parse(v))];
  if (!head) throw damaged();
  let records = 0;
  for (const unit of rest) {
    for (const record of recordsOf(unit.payload, files.snapshotPath, parse)) {
      onRecord(record);
      records += 1;
    }
  }
  if (records !== head.records) throw damaged();
  return { segment: head.throughSegment, sequence: head.throughSequence };
}

/**
 * Gives every record of the segments behind `from` (up to `through`) to `onRecord`. The last segment
 * of a journal may end in a torn write; anywhere else a unit that cannot be read, or that is not the
 * next one, throws `VolumeUnusable`.
 */
export async function replaySegments<R>(
  files: JournalFiles,
  range: {
    readonly from: Position;
    readonly segments: readonly number[];
    readonly mayBeTorn: boolean;
  },
  target: { parse: ParseRecord<R>; onRecord: (record: R) => void },
): Promise<ReplayEnd> {
  let { segment, sequence } = range.from;
  let goodEnd = 0;
  let tornBytes = 0;
  for (const number of range.segments) {
    const path = files.segmentPath(number);
    if (number !== segment + 1) throw new JournalDamaged(path, `segment ${segment + 1} is missing`);
    const file = await files.readSegment(number);
    const scan = scanUnits(file);
    const isLast = number === range.segments.at(-1);
    if (scan.tail === 'damaged' || (scan.tail === 'torn' && !(isLast && range.mayBeTorn))) {
      throw damagedAt(path, scan);
    }
    for (const unit of scan.units) {
      expectNext(path, unit, sequence + 1);
      sequence = unit.sequence;
      for (const record of recordsOf(unit.payload, path, target.parse)) target.onRecord(record);
    }
    segment = number;
    goodEnd = scan.goodEnd;
    tornBytes = file.length - scan.goodEnd;
  }
  return { segment, sequence, goodEnd, tornBytes };
}

/** The units of a snapshot file. */
export function* snapshotUnits(records: readonly unknown[], through: Position): Iterable<Buffer> {
  const head = {
    type: 'SNAPSHOT',
    version: 1,
    throughSegment: through.segment,
    throughSequence: through.sequence,
    records: records.length,
  };
  let sequence = 1;
  yield encodeUnit(sequence, [recordLine(head)]);
  let lines: RecordLine[] = [];
  let bytes = 0;
  for (const record of records) {
    const line = recordLine(record);
    if (bytes + line.bytes > SNAPSHOT_UNIT_BYTES) {
      yield encodeUnit((sequence += 1), lines);
      lines = [];
      bytes = 0;
    }
    lines.push(line);
    bytes += line.bytes;
  }
  if (lines.length > 0) yield encodeUnit(sequence + 1, lines);
}

function expectNext(path: string, unit: Unit, sequence: number): void {
  if (unit.sequence === sequence) return;
  const gap = `unit ${unit.sequence} stands where ${sequence} belongs`;
  throw new JournalDamaged(path, `the journal is damaged: ${gap}`);
}

function damagedAt(path: string, scan: UnitScan): JournalDamaged {
  const why = 'records behind it are good, so this is not the end of an interrupted write';
  return new JournalDamaged(path, `the journal is damaged at byte ${scan.goodEnd}: ${why}`);
}

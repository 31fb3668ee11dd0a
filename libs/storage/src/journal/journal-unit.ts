import { crc32 } from 'node:zlib';
import type { RecordLine } from './record-text.js';

/**
 * A journal file is a row of **units**. A unit is what one write and one fdatasync made durable:
 * 20 bytes of header (magic, length of the payload, running number, CRC-32 of the header's middle
 * and the payload), then records as lines of JSON. Since one unit is on its way at a time, a crash
 * can leave at most one unfinished unit, and only at the very end.
 */
export const UNIT_HEADER_BYTES = 20;
export const UNIT_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;

/** 0xF7 is in no UTF-8 text, so a payload can hold no magic. */
const MAGIC = Buffer.from([0xf7, 0x48, 0x46, 0x4a]);
const LINE_FEED = 0x0a;

export interface Unit {
  /** Runs on by one from unit to unit, over all files of a journal. */
  readonly sequence: number;
  readonly payload: Buffer;
  /** Where the unit ends in its file. */
  readonly end: number;
}

export interface UnitScan {
  readonly units: readonly Unit[];
  /** Where the last good unit ends. */
  readonly goodEnd: number;
  /**
   * `clean`: nothing follows. `torn`: what follows is no unit, and no unit comes after it: a write
   * that was cut off. `damaged`: a good unit follows somewhere behind what is no unit.
   */
  readonly tail: 'clean' | 'torn' | 'damaged';
}

/** Writes text straight to its place: a busy media server makes many thousands of lines in a second. */
export function encodeUnit(sequence: number, lines: readonly RecordLine[]): Buffer {
  const payloadBytes = lines.reduce((sum, { bytes }) => sum + bytes + 1, 0);
  const unit = Buffer.allocUnsafe(UNIT_HEADER_BYTES + payloadBytes);
  MAGIC.copy(unit, 0);
  unit.writeUInt32LE(payloadBytes, 4);
  unit.writeBigUInt64LE(BigInt(sequence), 8);
  let at = UNIT_HEADER_BYTES;
  for (const { text } of lines) {
    at += unit.write(text, at, 'utf8');
    at = unit.writeUInt8(LINE_FEED, at);
  }
  unit.writeUInt32LE(checksum(unit, 0, payloadBytes), 16);
  return unit;
}

/** Reads the units of a whole file. */
export function scanUnits(file: Buffer): UnitScan {
  const units: Unit[] = [];
  let at = 0;
  for (let unit = unitAt(file, at); unit; unit = unitAt(file, at)) {
    units.push(unit);
    at = unit.end;
  }
  return { units, goodEnd: at, tail: tailOf(file, at) };
}

function tailOf(file: Buffer, goodEnd: number): UnitScan['tail'] {
  if (goodEnd === file.length) return 'clean';
  let at = file.indexOf(MAGIC, goodEnd + 1);
  while (at >= 0) {
    if (unitAt(file, at)) return 'damaged';
    at = file.indexOf(MAGIC, at + 1);
  }
  return 'torn';
}

function unitAt(file: Buffer, at: number): Unit | undefined {
  if (at + UNIT_HEADER_BYTES > file.length) return undefined;
  if (file.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) !== 0) return undefined;
  const length = file.readUInt32LE(at + 4);
  const end = at + UNIT_HEADER_BYTES + length;
  if (length > UNIT_PAYLOAD_BYTES_MAX || end > file.length) return undefined;
  if (file.readUInt32LE(at + 16) !== checksum(file, at, length)) return undefined;
  const sequence = Number(file.readBigUInt64LE(at + 8));
  return { sequence, payload: file.subarray(at + UNIT_HEADER_BYTES, end), end };
}

function checksum(file: Buffer, at: number, length: number): number {
  const middle = crc32(file.subarray(at + 4, at + 16));
  return crc32(file.subarray(at + UNIT_HEADER_BYTES, at + UNIT_HEADER_BYTES + length), middle);
}

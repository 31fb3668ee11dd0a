/**
 * POSIX ACLs: Linux keeps them as a binary xattr (`system.posix_acl_access`, `..._default`), tar
 * as text. Layout: version 2 (4 bytes, little-endian), then 8 bytes an entry: tag, permissions, id.
 */
const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const NO_ID = 0xffffffff;

const TAGS = [
  { tag: 0x01, name: 'user', named: false },
  { tag: 0x02, name: 'user', named: true },
  { tag: 0x04, name: 'group', named: false },
  { tag: 0x08, name: 'group', named: true },
  { tag: 0x10, name: 'mask', named: false },
  { tag: 0x20, name: 'other', named: false },
] as const;

const ENTRY = /^(default:)?(user|group|mask|other|u|g|m|o):([^:]*):([r-][w-][xX-]|[rwx-]{1,3})$/;

/**
 * The text of an ACL xattr: `user::rw-,user:1000:r--,...` with numeric ids.
 * @throws Error if the value is not an ACL of version 2.
 */
export function aclToText(value: Buffer): string {
  if (value.length < HEADER_BYTES || value.readUInt32LE(0) !== VERSION) {
    throw new Error('The ACL is not of version 2');
  }
  const entries: string[] = [];
  for (let at = HEADER_BYTES; at + ENTRY_BYTES <= value.length; at += ENTRY_BYTES) {
    const kind = TAGS.find(({ tag }) => tag === value.readUInt16LE(at));
    if (!kind) throw new Error(`The ACL has an entry of unknown kind ${value.readUInt16LE(at)}`);
    const bits = value.readUInt16LE(at + 2);
    const id = kind.named ? String(value.readUInt32LE(at + 4)) : '';
    entries.push(`${kind.name}:${id}:${permissionText(bits)}`);
  }
  return entries.join(',');
}

/**
 * The xattr of an ACL's text. Takes what other tar programs write, too: entries divided by commas or
 * newlines, an effective-rights comment, and a fourth field with the numeric id.
 * @throws Error on an entry that it does not know, or a name without its number.
 */
export function aclFromText(text: string): Buffer {
  const entries = text
    .split(/[,\n]/)
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line !== '')
    .map(parseEntry)
    .sort((a, b) => a.tag - b.tag || a.id - b.id);
  const value = Buffer.alloc(HEADER_BYTES + entries.length * ENTRY_BYTES);
  value.writeUInt32LE(VERSION, 0);
  entries.forEach(({ tag, bits, id }, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    value.writeUInt16LE(tag, at);
    value.writeUInt16LE(bits, at + 2);
    value.writeUInt32LE(id, at + 4);
  });
  return value;
}

function parseEntry(line: string): { tag: number; bits: number; id: number } {
  const fourth = /^([^:]*:[^:]*:[^:]*):(\d+)$/.exec(line);
  const match = ENTRY.exec(fourth ? fourth[1]! : line);
  if (!match) throw new Error(`"${line}" is not an ACL entry`);
  const [, , name, qualifier, permissions] = match as unknown as string[];
  const named = qualifier !== '';
  const kind = TAGS.find((tag) => tag.name[0] === name![0] && tag.named === named);
  const id = fourth ? fourth[2]! : qualifier!;
  if (!kind || (named && !/^\d+$/.test(id))) throw new Error(`"${line}" has no numeric id`);
  return { tag: kind.tag, bits: permissionBits(permissions!), id: named ? Number(id) : NO_ID };
}

function permissionText(bits: number): string {
  return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`;
}

function permissionBits(text: string): number {
  return (text.includes('r') ? 4 : 0) | (text.includes('w') ? 2 : 0) | (/x/i.test(text) ? 1 : 0);
}

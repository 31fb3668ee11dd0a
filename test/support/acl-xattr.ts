const TAGS: Readonly<Record<string, { owner: number; named: number }>> = {
  u: { owner: 0x01, named: 0x02 },
  g: { owner: 0x04, named: 0x08 },
  m: { owner: 0x10, named: 0x10 },
  o: { owner: 0x20, named: 0x20 },
};
const UNDEFINED_ID = 0xffff_ffff;

/**
 * The value of `system.posix_acl_access` (or `_default`) for a short ACL text such as `u::rw-,u:12:r--,m::rwx,o::---`,
 * with the entries in the kernel's order. Written apart from the product's own code, so that one can test the other.
 */
export function aclXattr(text: string): Buffer {
  const entries = text.split(',').map((entry) => {
    const [tag = '', id = '', permissions = ''] = entry.split(':');
    const kind = TAGS[tag];
    if (kind === undefined) throw new Error(`No such ACL entry: ${entry}`);
    const bits = ['r', 'w', 'x'].reduce(
      (sum, letter) => sum * 2 + +permissions.includes(letter),
      0,
    );
    return { tag: id === '' ? kind.owner : kind.named, bits, id: id === '' ? UNDEFINED_ID : +id };
  });
  const value = Buffer.alloc(4 + entries.length * 8);
  value.writeUInt32LE(2, 0);
  entries.forEach(({ tag, bits, id }, i) => {
    value.writeUInt16LE(tag, 4 + i * 8);
    value.writeUInt16LE(bits, 6 + i * 8);
    value.writeUInt32LE(id, 8 + i * 8);
  });
  return value;
}

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aclFromText, aclToText } from './acl-text.js';

describe('ACLs', () => {
  const text = 'user::rw-,user:1000:r-x,group::r--,group:4294967294:-w-,mask::rwx,other::---';

  it('go from text to the kernel’s bytes and back', () => {
    const value = aclFromText(text);
    expect(value.length).toBe(4 + 6 * 8);
    expect(value.readUInt32LE(0)).toBe(2);
    expect(value.subarray(12, 20)).toEqual(Buffer.from([2, 0, 5, 0, 0xe8, 3, 0, 0]));
    expect(aclToText(value)).toBe(text);
  });

  it('are put in the kernel’s order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(text.split(','), { minLength: 6 }), (entries) => {
        expect(aclToText(aclFromText(entries.join('\n')))).toBe(text);
      }),
    );
  });

  it('are understood as other programs write them', () => {
    const other = 'user::rw-\nuser:jo:r--:1000\ngroup::rwx #effective:r--\nmask::r--\nother::r--\n';
    expect(aclToText(aclFromText(other))).toBe(
      'user::rw-,user:1000:r--,group::rwx,mask::r--,other::r--',
    );
  });

  it('are refused where a name has no number', () => {
    expect(() => aclFromText('user:jo:r--')).toThrow(/numeric/);
    expect(() => aclFromText('nonsense')).toThrow(/not an ACL entry/);
    expect(() => aclToText(Buffer.from([1, 0, 0, 0]))).toThrow(/version/);
  });
});

import { describe, expect, it } from '@jest/globals';
import { encodeIndexLine, type IndexLine } from '#archive/index-line.js';
import { EntryDamaged, LinkedData, linkEntry, movedLine, plainEntry } from './synthetic-entry.js';

const line: IndexLine = {
  ...{ type: 'f', path: 'srv/a', size: 3, mtimeNs: '17', mode: 0o644, uid: 1, gid: 2 },
  ...{ offset: 512, length: 1_024, own: { offset: 512, length: 1_024 }, flags: 's', target: '' },
  ...{ deviceMajor: 0, deviceMinor: 0 },
};
const link: IndexLine = {
  ...{ ...line, type: 'h', path: 'srv/b', target: 'srv/a', flags: '' },
  own: { offset: 4_096, length: 512 },
};
const item = (of: IndexLine, image = 1) => ({
  ...{ image, type: of.type, path: of.path, line: encodeIndexLine(of).trimEnd() },
});

describe('an entry of a synthetic full', () => {
  it.each(['f', 'd', 'p', 'l', 'c'] as const)('of type %s keeps all but its place', (type) => {
    const of = { ...line, type, target: type === 'l' ? 'else where' : '', deviceMajor: 7 };
    const entry = plainEntry({ ...item(of), line: encodeIndexLine(of).slice(0, -1) });
    expect(entry).toMatchObject({ image: 1, offset: 512, length: 1_024, size: 3 });
    const own = { offset: 99, length: 1_024 };
    expect(movedLine(entry, 99)).toBe(encodeIndexLine({ ...of, offset: 99, own }));
  });

  it('that is none is not taken for one', () => {
    const bad = encodeIndexLine(line).replace('\t512\t', '\t-\t').trimEnd();
    expect(() => plainEntry({ ...item(line), line: bad })).toThrow(EntryDamaged);
    expect(() => plainEntry({ ...item(line), line: 'f\tsrv/a' })).toThrow(EntryDamaged);
    expect(() => linkEntry({ ...item(link), line: 'h\tsrv/b' })).toThrow(EntryDamaged);
    const nowhere = encodeIndexLine(link).replace('\t512\t', '\t-\t').trimEnd();
    expect(() => linkEntry({ ...item(link), line: nowhere })).toThrow('impossible place');
  });
});

describe('linked data', () => {
  it('is found where a link of the same image points at it, once it has a place', () => {
    const linked = new LinkedData();
    const entry = linkEntry(item(link));
    expect(entry).toMatchObject({ own: { offset: 4_096 }, data: { image: 1, offset: 512 } });
    linked.want(entry);
    expect(linked.find(entry.data)).toBeUndefined();
    const place = { path: 'srv/a', offset: 0, length: 1_024 };
    linked.placed({ ...entry.data, image: 0 }, place);
    linked.placed({ ...entry.data, offset: 1_024 }, place);
    expect(linked.find(entry.data)).toBeUndefined();
    linked.placed(entry.data, place);
    expect(linked.find(entry.data)).toBe(place);
  });
});

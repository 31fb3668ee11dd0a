import { describe, expect, it } from '@jest/globals';
import { duplicatesOf, parseManifests } from './manifests.js';

const parse = (text: string) => parseManifests({ name: 'f.yaml', text });
const texts = (text: string) => parse(text).problems.map((problem) => problem.text);

const POLICY = `kind: Policy
name: web
clients: [web1]
selections: [/etc]
`;
const UNIT = `kind: StorageUnit
name: fast
mediaId: media1
pool: main
`;

describe('the documents of a file', () => {
  it('are several, with dashes in between or in a list, in YAML or JSON', () => {
    const { manifests, problems } = parse(`---\n${POLICY}---\n\n---\n${UNIT}`);
    expect(problems).toEqual([]);
    expect(manifests.map(({ kind, name, place }) => [kind.kind, name, place])).toEqual([
      ['Policy', 'web', 'f.yaml:2:1'],
      ['StorageUnit', 'fast', 'f.yaml:9:1'],
    ]);
    expect(manifests[1]!.spec).toMatchObject({ name: 'fast', jobsMax: 4 });
    const json = '[{"kind":"StorageUnit","name":"a","mediaId":"m","pool":"p"}]';
    expect(parse(json).manifests).toMatchObject([{ name: 'a', place: 'f.yaml:1:2' }]);
  });

  it('are all looked at: every problem is told, with its place, its field and what is allowed', () => {
    const wrong = `${POLICY}prority: 1\ncompressionLevel: 99\n---\n${UNIT}jobsMax: many\n---\nkind: Pool\n---\n- 7\n`;
    expect(texts(wrong)).toEqual([
      expect.stringMatching(/^f\.yaml:6:19: compressionLevel: .*<=19/),
      expect.stringMatching(
        /^f\.yaml:5:\d+: there is no field "prority"; allowed are name, active/,
      ),
      expect.stringMatching(/^f\.yaml:12:10: jobsMax: .*expected number/),
      expect.stringMatching(/^f\.yaml:14:7: kind: there is no kind "Pool"; it is .*Policy$/),
      expect.stringMatching(/^f\.yaml:16:3: a document has a kind, a name and fields$/),
    ]);
    expect(parse(wrong).manifests).toEqual([]);
  });

  it('that are no YAML, or name no kind, are told', () => {
    expect(texts('kind: Policy\nname: [\n')).toEqual([expect.stringMatching(/^f\.yaml:3:1: /)]);
    expect(texts('name: web\n')).toEqual([
      expect.stringMatching(/^f\.yaml:1:1: kind: is missing; it is .* or Policy$/),
    ]);
    const bomb = `a: &a [1]\nb: [${'*a, '.repeat(200)}]\n`;
    expect(texts(`kind: Policy\n${bomb}`)).toEqual([expect.stringContaining('f.yaml:1:1')]);
  });

  it('may not say the same thing twice', () => {
    const twice = parse(`${POLICY}---\n${POLICY}`).manifests;
    expect(duplicatesOf(twice).map(({ text }) => text)).toEqual([
      'f.yaml:6:1: Policy "web" stands at f.yaml:1:1, too',
    ]);
    expect(duplicatesOf(parse(`${POLICY}---\n${UNIT.replace('fast', 'web')}`).manifests)).toEqual(
      [],
    );
  });
});

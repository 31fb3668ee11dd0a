import { describe, expect, it } from '@jest/globals';
import { policySpec } from '#contracts/policy.js';
import { parseText } from './document-file.js';

const parse = (text: string) => parseText({ name: 'p.yaml', text }, policySpec, 'Policy');

const GOOD = `
name: nightly
clients: [web1]
selections:
  - /etc
schedules:
  - name: full
    type: full
    frequency: 7d
`;

describe('a policy file', () => {
  it('is YAML or JSON', () => {
    expect(parse(GOOD)).toMatchObject({ name: 'nightly', storage: 'default' });
    expect(parse('{"name": "p", "clients": ["c"], "selections": ["/"]}')).toMatchObject({
      active: true,
    });
    expect(parse(`kind: Policy\n${GOOD}`)).toEqual(parse(GOOD));
  });

  it('that is no YAML is refused with the line and the column', () => {
    expect(() => parse('name: p\nclients: [web1\nselections: [/etc]\n')).toThrow(/^p\.yaml:3:1: /);
    expect(() => parse('{"name": "p",\n "clients": }')).toThrow(/^p\.yaml:2:/);
    expect(() => parse('name: a\nname: b\n')).toThrow('p.yaml:2:1: Map keys must be unique.');
  });

  it('with a value that is not allowed is refused with the place, the field and what is', () => {
    const wrong = GOOD.replace('type: full', 'type: weekly');
    expect(() => parse(wrong)).toThrow(
      /^p\.yaml:8:11: schedules\[0\]\.type: .*"full"\|"differential"\|"cumulative"/,
    );
    expect(() => parse(GOOD.replace('/etc', 'etc'))).toThrow(
      'p.yaml:5:5: selections[0]: a path must be absolute (start with "/")',
    );
  });

  it('with an unknown field is refused with those that exist', () => {
    expect(() => parse(`${GOOD}retries: 3\n`)).toThrow(
      /^p\.yaml:\d+:\d+: there is no field "retries"; allowed are name, active, clients, /,
    );
    expect(() => parse(GOOD.replace('frequency', 'frequencey'))).toThrow(
      /schedules\[0\]: there is no field "frequencey"; allowed are name, type, synthetic, frequency, calendar, windows/,
    );
  });

  it('that lacks a field is refused with its name', () => {
    expect(() => parse('name: p\nselections: [/etc]\n')).toThrow('clients: is missing (array)');
    expect(() => parse('')).toThrow('p.yaml:1:1: ');
  });
});

import { z } from 'zod';
import { allowedText, fieldSchema } from '#contracts/schema/field-schema.js';
import type { SettingValue, SettingView } from '#contracts/settings/settings.js';
import { UNIT_MS } from '#kernel/duration.js';
import { InvalidInput, NotFound } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { readConfig } from '../config.js';
import { durationSetting } from '../duration-setting.js';
import { settingFacts, type SettingFacts } from './setting-facts.js';

export type Variables = Readonly<Record<string, string | undefined>>;

interface Setting {
  readonly variable: string;
  readonly schema: z.ZodType;
  readonly facts: SettingFacts;
}

/**
 * A process's configuration: defaults, over them the environment, over that what people have set
 * while it runs. Whatever was set is checked with the schema of the environment.
 */
export class Settings<C extends z.ZodType = z.ZodType> {
  /** The values in force now: each property is read anew, so keep this object, not what is in it. */
  readonly values: z.output<C>;
  private readonly byName: ReadonlyMap<string, Setting>;
  private set: ReadonlyMap<string, string> = new Map();
  private current: z.output<C>;

  /** Throws `PermanentError` for an environment that is not complete. */
  constructor(
    private readonly schema: C,
    private readonly environment: Variables,
  ) {
    this.byName = new Map(settingsOf(schema).map((one) => [one.facts.name, one]));
    this.current = readConfig(schema, environment);
    this.values = this.live();
  }

  /** True where at least one can be set while the process runs. */
  get anySettable(): boolean {
    return [...this.byName.values()].some(({ facts }) => facts.settable);
  }

  /**
   * Puts what was set in force, all of it, by name. Returns the names that mean nothing here or whose
   * value is not allowed (any more): they are left out.
   */
  use(set: ReadonlyMap<string, string>): string[] {
    const good = [...set].filter(([name, text]) => this.isAllowed(name, text));
    this.set = new Map(good);
    const overrides = good.map(([name, text]) => [this.byName.get(name)!.variable, text]);
    this.current = readConfig(this.schema, {
      ...this.environment,
      ...(Object.fromEntries(overrides) as Variables),
    });
    return [...set.keys()].filter((name) => !this.set.has(name));
  }

  /**
   * The text that stands for a value as the environment would have it. Throws `NotFound` for a name
   * that is none, `InvalidInput` for a value that is not allowed or a setting that can't be set.
   */
  textFor(name: string, value: SettingValue): string {
    const { facts, schema } = this.settable(name);
    const text = toText(value, facts);
    if (text !== undefined && isFit(text, schema, facts)) return text;
    throw new InvalidInput(`${name} is ${allowedOf(schema, facts)}, not "${value}".`, 'value');
  }

  /** Throws as `textFor` does for a name. */
  settable(name: string): Setting {
    const found = this.byName.get(name);
    if (found === undefined) {
      throw new NotFound('setting', name, STATUS.notFound, '`holdfast config show` lists them.');
    }
    if (found.facts.settable) return found;
    throw new InvalidInput(
      `${name} can't be set while the service runs. Start it with ${found.variable} in its environment.`,
      'name',
    );
  }

  view(name: string): SettingView {
    const { variable, schema, facts } = this.byName.get(name)!;
    const set = this.set.get(name);
    const given = this.environment[variable];
    const field = fieldSchema(schema);
    const shown = (raw: unknown) => toValue(raw, facts, field.type);
    return {
      name,
      value: shown(set ?? given ?? field.default),
      unit: facts.unit,
      source: set !== undefined ? 'set' : given !== undefined ? 'environment' : 'default',
      unset: shown(given ?? field.default),
      variable,
      settable: facts.settable,
      description: facts.description,
      allowed: allowedOf(schema, facts),
    };
  }

  /** All of them, by name. */
  views(): SettingView[] {
    return [...this.byName.keys()].sort().map((name) => this.view(name));
  }

  private isAllowed(name: string, text: string): boolean {
    const found = this.byName.get(name);
    return found !== undefined && found.facts.settable && isFit(text, found.schema, found.facts);
  }

  private live(): z.output<C> {
    const { schema } = this;
    const keys = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    const properties = keys.map((key) => [
      key,
      { enumerable: true, get: () => (this.current as Record<string, unknown>)[key] },
    ]);
    const live: object = Object.defineProperties(
      {},
      Object.fromEntries(properties) as PropertyDescriptorMap,
    );
    return live as z.output<C>;
  }
}

function settingsOf(schema: z.ZodType): Setting[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([variable, field]) => {
    const facts = settingFacts.get(field);
    return facts ? [{ variable, schema: field, facts }] : [];
  });
}

function isFit(text: string, schema: z.ZodType, { least = -Infinity, scale = 1 }: SettingFacts) {
  const result = schema.safeParse(text);
  return result.success && !(typeof result.data === 'number' && result.data < least * scale);
}

function allowedOf(schema: z.ZodType, { allowed, scale = 1, duration, least }: SettingFacts) {
  if (duration !== undefined) return 'a whole number of at least 1';
  const field = fieldSchema(schema);
  const minimum = least === undefined ? field.minimum : least * scale;
  return allowed ?? allowedText(minimum === undefined ? field : { ...field, minimum }, scale);
}

/** Nothing is not zero. */
function toText(value: SettingValue, { scale, duration }: SettingFacts): string | undefined {
  const text = String(value).trim();
  if (text === '') return undefined;
  if (duration !== undefined) return /^[1-9]\d{0,5}$/.test(text) ? text + duration : undefined;
  if (scale === undefined) return text;
  const number = Number(text);
  return Number.isFinite(number) ? String(Math.round(number * scale)) : undefined;
}

function toValue(
  raw: unknown,
  { scale = 1, duration }: SettingFacts,
  type: string | undefined,
): SettingValue | null {
  if (raw === undefined || raw === null) return null;
  if (duration !== undefined) {
    const ms = durationSetting.safeParse(raw).data;
    return ms === undefined ? String(raw) : ms / UNIT_MS[duration];
  }
  return type === 'integer' || type === 'number' ? Number(raw) / scale : String(raw);
}

import { z } from 'zod';

/** What people must know of a variable of a configuration to call it a setting. */
export interface SettingFacts {
  /** As `config show` and `config set` call it; unique in the cluster. */
  readonly name: string;
  /** `seconds`, `tries`; empty for texts. */
  readonly unit: string;
  readonly description: string;
  /**
   * True: can be set while the service runs. Its code must read the value anew at each use. False:
   * only the environment variable sets it, at the start.
   */
  readonly settable: boolean;
  /** The variable's value is the setting's times this: 1,000 for seconds of a variable in ms. */
  readonly scale?: number;
  /** The variable is a duration such as `24h`; the setting is a whole number of these. */
  readonly duration?: 's' | 'm' | 'h' | 'd';
  /** The least that people may set, in the setting's unit, where the variable (for tests) may be less. */
  readonly least?: number;
  /** In words, where the schema can't say it: of a duration, a list of volumes. */
  readonly allowed?: string;
}

/**
 * A field of a configuration schema that is registered here is a setting:
 * `count.min(1).default(2).register(settingFacts, {...})`. Others (addresses, nkeys) are never shown.
 */
export const settingFacts = z.registry<SettingFacts>();

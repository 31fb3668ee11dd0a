import { z } from 'zod';
import { endpoint } from '../contract.js';

/** `jobs.silence-seconds`: what it is about, a dot, and the rest with the unit at the end. */
export const settingName = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,40}\.[a-z][a-z0-9-]{0,60}$/,
    'a setting is named like "retry.tries"; `holdfast config show` lists them',
  );

export const settingValue = z.union([z.number(), z.string().max(1_000), z.boolean()]);
export type SettingValue = z.infer<typeof settingValue>;

/** One setting of a service as it is now. */
export const settingView = z.object({
  name: settingName,
  /** Null: not set, and without a default. */
  value: settingValue.nullable(),
  /** Empty for texts. */
  unit: z.string(),
  /** Where the value comes from. What was set goes before the environment, that before the default. */
  source: z.enum(['default', 'environment', 'set']),
  /** What would be in force without what was set. */
  unset: settingValue.nullable(),
  /** The environment variable of the process. */
  variable: z.string(),
  /** False: the environment variable is the only way, and the process has to start anew. */
  settable: z.boolean(),
  description: z.string(),
  allowed: z.string(),
});
export type SettingView = z.infer<typeof settingView>;

/** Services whose instances have settings of their own each: all of them answer. */
const WITH_OWN_SETTINGS: readonly string[] = ['media', 'agent'];

export function settingsEndpoint(service: string) {
  return endpoint(service, 'settings', {
    description: 'All settings with their values and where these come from',
    allAnswer: WITH_OWN_SETTINGS.includes(service),
    request: z.object({}),
    response: z.object({
      service: z.string(),
      instance: z.string(),
      settings: z.array(settingView),
    }),
  });
}

export function settingsPutEndpoint(service: string) {
  return endpoint(service, 'settings-put', {
    description: 'Sets a setting, or with null takes back what was set; needs no restart',
    request: z.object({ name: settingName, value: settingValue.nullable() }),
    response: z.object({ setting: settingView }),
  });
}

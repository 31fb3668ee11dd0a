import type { ValueTransformer } from 'typeorm';

/** A bigint column that holds safe integers: text from the driver, a number in the program. */
export const asNumber: ValueTransformer = {
  from: (value: string | null) => (value === null ? null : Number(value)),
  to: (value: number | null) => value,
};

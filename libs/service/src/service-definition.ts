import type { DynamicModule, Type } from '@nestjs/common';
import type { z } from 'zod';
import type { OwnedSchema } from './database.js';
import type { StartableClass } from './lifecycle.js';

/** All that `runService` must know of a service. */
export interface ServiceDefinition<C extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly description: string;
  readonly config: C;
  /** Which instance this is, where several have work of their own (a media server's id). */
  instance?(config: z.output<C>): string;
  /** The Nest module; it gets the configuration and declares handlers and providers. */
  module(config: z.output<C>): Type | DynamicModule;
  /** Its tables, for a service with a database. */
  readonly owns?: OwnedSchema;
  /** Started in this order after the endpoints answer, stopped in reverse. */
  readonly starts?: readonly StartableClass[];
}

import type { EntityManager } from 'typeorm';

/** What it takes to ask the database, within a transaction or outside of one. */
export type Queries = Pick<EntityManager, 'query'>;

import { readFile } from 'node:fs/promises';
import {
  ConsoleLogger,
  Logger,
  Module,
  type DynamicModule,
  type INestMicroservice,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { z } from 'zod';
import { SystemClock } from '#kernel/clock.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { Nats } from '#messaging/connection.js';
import { KeepErrors } from '#messaging/micro/keep-errors.js';
import { MicroServer } from '#messaging/micro/micro-server.js';
import { readConfig, databaseConfig, natsConfig, type NatsConfig } from './config.js';
import { DatabaseAway } from './database-away.js';
import type { ServiceDatabase } from './database.js';
import type { Startable } from './lifecycle.js';
import { PlatformModule } from './platform.module.js';
import type { ServiceDefinition } from './service-definition.js';
import { Settings, type Variables } from './settings/settings.js';
import { SettingsKeeper } from './settings/settings-keeper.js';
import { VERSION } from './version.js';

export interface RunningService {
  readonly app: INestMicroservice;
  /** Finishes what runs, in the reverse order of the start. Safe to call twice. */
  stop(): Promise<void>;
}

export type Environment = Variables;

interface Basis {
  readonly nats: Nats;
  readonly database: ServiceDatabase | undefined;
  readonly keeper: SettingsKeeper | undefined;
}

/**
 * Starts a service: configuration, broker, database with its migrations, endpoints, then what works
 * on its own. Whatever fails stops what was started and throws.
 */
export async function startService<C extends z.ZodType>(
  definition: ServiceDefinition<C>,
  environment: Environment,
): Promise<RunningService> {
  const settings = new Settings(definition.config, environment);
  const undo: (() => Promise<void> | void)[] = [];
  const stop = once(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });
  try {
    const nats = await connectNats(readConfig(natsConfig, environment), definition.name);
    undo.push(() => nats.close());
    const database = await databaseFor(definition, environment);
    if (database) undo.push(() => database.close());
    const keeper = await keeperOf(settings, database);
    const app = await createApp(definition, settings, { nats, database, keeper });
    undo.push(() => app.close());
    await app.listen();
    for (const work of startables(app, definition, { database, keeper })) {
      undo.push(() => work.stop());
      await work.start();
    }
    // Whoever is told that the service runs may ask it at once, over a connection of its own.
    await nats.flush();
    return { app, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The body of every `main.ts`: starts, stops on SIGTERM and SIGINT, says what went wrong. */
export async function runService(definition: ServiceDefinition): Promise<void> {
  Logger.overrideLogger(new ConsoleLogger({ prefix: definition.name, colors: false }));
  try {
    const service = await startService(definition, process.env);
    const end = () => {
      void service.stop().then(
        () => process.exit(0),
        (error: unknown) => fail(definition.name, error),
      );
    };
    process.once('SIGTERM', end);
    process.once('SIGINT', end);
    if (process.send) {
      // Started by `holdfast up`: without it there is nobody left to stop this process.
      process.once('disconnect', end);
      process.send({ ready: true });
    }
  } catch (error) {
    fail(definition.name, error);
  }
}

function fail(name: string, error: unknown): never {
  const text =
    error instanceof PermanentError || !(error instanceof Error)
      ? messageOf(error)
      : (error.stack ?? error.message);
  process.stderr.write(`${name}: ${text}\n`);
  process.exit(1);
}

async function connectNats(config: NatsConfig, service: string): Promise<Nats> {
  const seed = (await readFile(config.HOLDFAST_NATS_SEED_FILE, 'utf8')).trim();
  const user = config.HOLDFAST_NATS_USER;
  const nats = await Nats.connect({
    url: config.HOLDFAST_NATS_URL,
    user,
    seed,
    clientName: `holdfast-${user}`,
  });
  const logger = new Logger(`nats ${service}`);
  void nats.watch((status) => {
    if (status.type === 'error') logger.error(String(status.error));
    else if (/disconnect|reconnect$/i.test(status.type)) logger.warn(status.type);
  });
  return nats;
}

async function createApp<C extends z.ZodType>(
  definition: ServiceDefinition<C>,
  settings: Settings<C>,
  basis: Basis,
): Promise<INestMicroservice> {
  const config = settings.values;
  const startedAt = new SystemClock().now();
  const id = uuidv7(startedAt);
  const instance = definition.instance?.(config) ?? id;
  const identity = { name: definition.name, instance, version: VERSION };
  const strategy = new MicroServer(basis.nats, {
    ...identity,
    id,
    description: definition.description,
    startedAt,
  });
  const health = { service: definition.name, instance, version: VERSION, startedAt };
  const root = rootModule([
    PlatformModule.of({ ...basis, health, settings }),
    definition.module(config) as DynamicModule,
  ]);
  const app = await NestFactory.createMicroservice(root, {
    strategy,
    logger: ['error', 'warn', 'fatal'],
    abortOnError: false,
  });
  app.useGlobalFilters(basis.database ? new DatabaseAway() : new KeepErrors());
  return app;
}

function rootModule(imports: DynamicModule[]): DynamicModule {
  @Module({})
  class ServiceModule {}
  return { module: ServiceModule, imports };
}

/** TypeORM is loaded by the services that need it only: it is half of their start and memory. */
async function databaseFor(
  definition: ServiceDefinition,
  environment: Environment,
): Promise<ServiceDatabase | undefined> {
  if (!definition.owns) return undefined;
  const { ServiceDatabase } = await import('./database.js');
  return ServiceDatabase.open(readConfig(databaseConfig, environment), definition.owns);
}

/** What was set before is in force before anything is made that reads it. */
async function keeperOf(
  settings: Settings,
  database: ServiceDatabase | undefined,
): Promise<SettingsKeeper | undefined> {
  if (database === undefined || !settings.anySettable) return undefined;
  const keeper = new SettingsKeeper(settings, database.settings());
  await keeper.read();
  return keeper;
}

function startables(
  app: INestMicroservice,
  definition: ServiceDefinition,
  { database, keeper }: Omit<Basis, 'nats'>,
): Startable[] {
  const own = (definition.starts ?? []).map((type) => app.get<Startable>(type as never));
  return [
    ...(database ? [app.get<Startable>(database.relay)] : []),
    ...(keeper ? [keeper] : []),
    ...own,
  ];
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= action());
}

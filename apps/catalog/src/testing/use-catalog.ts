import { afterAll } from '@jest/globals';
import type { RunningService } from '#service/run-service.js';
import { CatalogHarness } from './catalog-harness.js';
import { ImageMaker } from './image-maker.js';

export interface CatalogInUse {
  readonly cluster: CatalogHarness;
  readonly catalog: RunningService;
  readonly maker: ImageMaker;
}

/** A catalog for all tests of a file, and whoever makes images in it. `settings` go over its defaults. */
export async function useCatalog(
  settings: Readonly<Record<string, string>> = {},
): Promise<CatalogInUse> {
  const cluster = await CatalogHarness.start();
  const catalog = await cluster.startCatalog(settings);
  const maker = await ImageMaker.start(cluster);
  afterAll(async () => {
    await maker.stop();
    await cluster.stop();
  });
  return { cluster, catalog, maker };
}

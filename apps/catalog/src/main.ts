import { runService } from '#service/run-service.js';
import { catalogDefinition } from './catalog.definition.js';

await runService(catalogDefinition);

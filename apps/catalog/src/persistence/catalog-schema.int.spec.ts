import { describeSchema } from '../../../../test/support/describe-schema.js';
import { catalogDefinition } from '../catalog.definition.js';

describeSchema(catalogDefinition.owns!, {
  table: 'fragment',
  column: 'frames',
  index: 'fragment_live_number',
});

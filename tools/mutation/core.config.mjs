/** Mutation tests of the rules about locks. */
import { partOf } from "./common.mjs";

export default partOf("core", ["src/core/**/*.ts"]);

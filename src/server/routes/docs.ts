/** `GET /docs`: the API to read and try, without a network: every file comes from here. */
import { readFile } from "node:fs/promises";
import { pageAnswer } from "../answer.js";
import { notFound } from "../http-refusal.js";
import type { Route } from "../route.js";
import type { Services } from "../services.js";

/** Nothing from elsewhere and no inline scripts. The images are inside the style sheet. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>engram-lock: HTTP API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
`;

// Without a validator: the usual one is asked over the network.
const start = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });\n`;

const script = "text/javascript; charset=utf-8";
const style = "text/css; charset=utf-8";

export function docsRoutes({ docsFolder }: Services): Route[] {
  return [
    textRoute("/docs", page, "text/html; charset=utf-8"),
    textRoute("/docs/start.js", start, script),
    fileRoute(new URL("swagger-ui-bundle.js", docsFolder), "/docs/swagger-ui-bundle.js", script),
    fileRoute(new URL("swagger-ui.css", docsFolder), "/docs/swagger-ui.css", style),
  ];
}

function textRoute(path: string, body: string, contentType: string): Route {
  return {
    method: "get",
    path,
    answer: () => pageAnswer(body, { contentType, policy, cacheControl: "no-cache" }),
  };
}

function fileRoute(file: URL, path: string, contentType: string): Route {
  return {
    method: "get",
    path,
    answer: async () => {
      const body = await contentOf(file);
      return pageAnswer(body, { contentType, policy, cacheControl: "max-age=3600" });
    },
  };
}

async function contentOf(file: URL): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFile(file);
  } catch (error) {
    // The page is a part of the built package; when it runs from its sources there is none.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") throw notFound();
    throw error;
  }
}

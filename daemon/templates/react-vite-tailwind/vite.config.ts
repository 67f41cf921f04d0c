import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  server: {
    host: "127.0.0.1",
    port: 5173,
    strictPort: true,
    // Only the preview reaches this server, under whatever name it is opened.
    // Hot reload needs no setting: its socket goes where the page came from.
    allowedHosts: true,
    // What breaks in the browser is printed here, where it is looked for.
    forwardConsole: { unhandledErrors: true, logLevels: ["error"] },
  },
});

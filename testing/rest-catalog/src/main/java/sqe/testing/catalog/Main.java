package sqe.testing.catalog;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Iceberg's reference REST catalog, dressed as Polaris, for tests only.
 *
 * <p>Everything is in memory but the files of tables. See {@link Settings} for what it can be told,
 * and testing/README.md for what it does and why it exists.
 */
public final class Main {

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    Settings settings = Settings.read();
    Server server = server(settings);
    server.setHandler(handler(settings));
    server.start();
    System.out.println("listening on " + settings.host() + ":" + settings.port());
    server.join();
  }

  private static Server server(Settings settings) {
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    // Names of namespaces and tables may have encoded slashes and other such characters.
    http.setUriCompliance(UriCompliance.UNSAFE);
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(http));
    connector.setHost(settings.host());
    connector.setPort(settings.port());
    server.addConnector(connector);
    return server;
  }

  private static ServletContextHandler handler(Settings settings) {
    Directory directory = new Directory(settings.rootId(), settings.rootSecret());
    Warehouses warehouses = new Warehouses(settings);
    Tokens tokens =
        new Tokens(
            settings.tokenLife(),
            directory,
            settings.issuer().map(issuer -> new OidcTokens(issuer, settings.audience())));
    ServletContextHandler handler = new ServletContextHandler();
    handler.getServletHandler().setDecodeAmbiguousURIs(true);
    add(handler, new CatalogServlet(warehouses), CatalogServlet.ROOT + "*");
    add(handler, new TokenServlet(directory, tokens), Authentication.TOKENS);
    add(handler, new ManagementServlet(directory, warehouses), ManagementServlet.ROOT + "*");
    add(handler, new Ready(), Authentication.READY);
    handler.addFilter(
        new FilterHolder(new Authentication(tokens)), "/*", EnumSet.of(DispatcherType.REQUEST));
    return handler;
  }

  private static void add(ServletContextHandler handler, HttpServlet servlet, String path) {
    handler.addServlet(new ServletHolder(servlet), path);
  }

  /** Answers as soon as the server does. */
  private static final class Ready extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) {
      response.setStatus(200);
    }
  }
}

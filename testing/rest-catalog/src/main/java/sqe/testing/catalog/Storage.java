package sqe.testing.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URI;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.apache.iceberg.exceptions.BadRequestException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.sts.StsClient;

/**
 * Where a warehouse keeps its files, from the {@code storageConfigInfo} of the management API.
 *
 * @param endpoint of the store as clients see it
 * @param ownEndpoint of the store as this program sees it
 * @param stsEndpoint of the service that makes keys
 * @param locations under which tables may lie, without a slash at the end
 */
record Storage(
    String endpoint,
    String ownEndpoint,
    String stsEndpoint,
    String region,
    boolean pathStyle,
    List<String> locations) {

  static Storage of(JsonNode config, String base, Settings settings) {
    if (!config.path("storageType").asText().equals("S3")) {
      throw new BadRequestException("storageType must be S3");
    }
    String endpoint =
        config.path("endpoint").asText(settings.endpoint().orElse("http://127.0.0.1:19000"));
    String own = config.path("endpointInternal").asText(endpoint);
    List<String> locations =
        StreamSupport.stream(config.path("allowedLocations").spliterator(), false)
            .map(location -> strip(location.asText()))
            .toList();
    return new Storage(
        endpoint,
        own,
        config.path("stsEndpoint").asText(own),
        config.path("region").asText(settings.region()),
        config.path("pathStyleAccess").asBoolean(false),
        locations.isEmpty() ? List.of(base) : locations);
  }

  /** What a client is told of the store, keys aside. */
  Map<String, String> clientConfig() {
    Map<String, String> config = new HashMap<>();
    config.put("s3.endpoint", endpoint);
    config.put("client.region", region);
    if (pathStyle) {
      config.put("s3.path-style-access", "true");
    }
    return config;
  }

  /** With which this program itself reads and writes metadata files. */
  S3Client client(Settings settings) {
    return S3Client.builder()
        .endpointOverride(URI.create(ownEndpoint))
        .region(Region.of(region))
        .forcePathStyle(pathStyle)
        .credentialsProvider(settings.keys())
        .httpClientBuilder(UrlConnectionHttpClient.builder())
        .build();
  }

  /** Which makes the keys for clients. */
  StsClient sts(Settings settings) {
    return StsClient.builder()
        .endpointOverride(URI.create(stsEndpoint))
        .region(Region.of(region))
        .credentialsProvider(settings.keys())
        .httpClientBuilder(UrlConnectionHttpClient.builder())
        .build();
  }

  static String strip(String location) {
    return location.replaceAll("/+$", "");
  }
}

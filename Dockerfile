# syntax=docker/dockerfile:1
# Precis in a container: built from these sources, then the program alone with the libraries it needs.
#     docker build -t precis .
FROM debian:13.3-slim AS build
WORKDIR /src
COPY . .
RUN tools/install-deps.sh build \
    && meson setup build/release -Dbuildtype=release -Dtests=false \
    && ninja -C build/release precis \
    && install -D -m 755 build/release/precis /out/precis
# The packages of what it is linked with, and of the libraries that it loads when they are needed.
RUN { ldd /out/precis | awk '$3 ~ /^\// { print $3 }'; \
      ldconfig -p | awk '$1 ~ /^lib(curl|pq)[._]/ && $NF ~ /\.so\.[0-9.]+$/ { print $NF }'; } \
    | xargs -n 1 readlink -f | xargs dpkg -S | sed 's/:.*//' | sort -u >/out/packages

FROM debian:13.3-slim
COPY --from=build /out/packages /tmp/packages
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends ca-certificates tzdata </tmp/packages \
    && rm -rf /var/lib/apt/lists/* /tmp/packages \
    && useradd --system --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin precis \
    && install -d -o precis -g precis -m 700 /data
COPY --from=build /out/precis /usr/local/bin/precis
USER 10001:10001
WORKDIR /data
VOLUME /data
ENV PRECIS_DATA=/data PRECIS_LOG_FORMAT=json
EXPOSE 8080
# Answered without a key. The image has no HTTP client; bash can speak enough of it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.1 200' <&3"]
ENTRYPOINT ["precis"]
CMD ["serve", "--listen", "0.0.0.0:8080"]

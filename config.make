# Appended to nginx's Makefile by its configure. Always asks CMake, which knows what is out of date; with `+` it shares
# the jobs of `make -j`. The last rule is what makes a link wait for it: to nginx, dependencies of a module are those
# of its source files, and it knows of none. --with-cc-opt counts for the module, too; --with-ld-opt is nginx's link's.
cat << END                                                    >> $NGX_MAKEFILE

.PHONY:	wazo_auth_libraries

wazo_auth_libraries:
	cmake -S $ngx_addon_dir -B $NGX_OBJS/wazo-auth -DWAZO_AUTH_TESTS=OFF \\
		-DWAZO_AUTH_NGINX_SOURCE=`pwd` -DWAZO_AUTH_NGINX_OBJS=`cd $NGX_OBJS && pwd` \\
		-DCMAKE_C_FLAGS='$NGX_CC_OPT' -DCMAKE_CXX_FLAGS='$NGX_CC_OPT'
	+cmake --build $NGX_OBJS/wazo-auth --target wazo_auth_nginx

$NGX_OBJS/wazo-auth/libwazo_auth_nginx.a:	wazo_auth_libraries

$NGX_OBJS/nginx $NGX_OBJS/ngx_wazo_auth_module.so:	$NGX_OBJS/wazo-auth/libwazo_auth_nginx.a

END
